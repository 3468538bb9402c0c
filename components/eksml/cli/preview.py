"""`eksml preview`: the whole platform of a stack, without a cloud."""

import json
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Annotated

import typer

from eksml.cli.arguments import AsJson, Settings, StackName, Target, plan_of

if TYPE_CHECKING:
    from rich.console import Console

    from eksml.plan import Plan


def preview(
    target: Target = None,
    stack: StackName = None,
    settings: Settings = None,
    as_json: AsJson = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Also write preview.txt, plan.json and manifests.yaml to DIR.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show what `pulumi up` would build.

    The resource tree, the Kubernetes objects, and what the stack exports. It runs the real program of the stack in this
    process; no cloud, no Pulumi CLI and no network is needed.

    \b
    Examples:
      eksml preview research
      eksml preview production --set pools.train.size=4
      eksml preview startup --json | jq '.resources[].type'
    """
    from eksml.cli.output import answer, write_files

    plan = plan_of(target, stack, settings)
    if out is not None:
        write_files(out, files_of(plan))
    if as_json:
        typer.echo(_as_json(plan), nl=False)
    else:
        show(plan, answer())


def files_of(plan: "Plan") -> dict[str, str]:
    """Every form of a Plan as files: their names and contents."""
    from eksml.plan.manifests import manifests

    return {"preview.txt": _as_text(plan), "plan.json": _as_json(plan), "manifests.yaml": manifests(plan)}


def show(plan: "Plan", console: "Console") -> None:
    """Prints a Plan for people."""
    import yaml
    from rich.markup import escape
    from rich.tree import Tree

    from eksml.plan.counts import counts
    from eksml.plan.manifests import objects
    from eksml.plan.notes import notes
    from eksml.plan.tree import Node, tree

    def add(branch: Tree, node: Node) -> None:
        detail = f"  [cyan]{escape(node.detail)}[/]" if node.detail else ""
        below = branch.add(f"[bold]{escape(node.name)}[/]  [dim]{escape(node.type)}[/]{detail}")
        for child in node.children:
            add(below, child)

    root = Tree(f"[bold]Stack {escape(plan.stack)}[/]")
    for node in tree(plan):
        add(root, node)
    console.print(root)

    console.print("\n[bold]Kubernetes objects[/]  (YAML: eksml manifests)")
    for item in objects(plan):
        metadata = item["metadata"]
        place = f" in {metadata['namespace']}" if "namespace" in metadata else ""
        console.print(f"  {item['kind']} {metadata['name']}{place}  [dim]{item['apiVersion']}[/]", markup=True)

    console.print("\n[bold]Exports[/]")
    exports = yaml.safe_dump(dict(plan.exports), default_flow_style=None, allow_unicode=True, width=200)
    console.print(escape(indent(exports if plan.exports else "none\n", "  ")), end="")

    made = counts(plan)
    by_package = ", ".join(f"{number} of {package}" for package, number in made.by_package.items())
    console.print(f"\n[bold]{made.total} resources[/]: {made.components} components, {by_package}")
    for note in notes(plan):
        console.print(f"[yellow]Note[/]: {escape(note)}")


def _as_json(plan: "Plan") -> str:
    from eksml.plan.as_json import as_json

    return json.dumps(as_json(plan), indent=2, ensure_ascii=False) + "\n"


def _as_text(plan: "Plan") -> str:
    from io import StringIO

    from rich.console import Console

    text = StringIO()
    show(plan, Console(file=text, width=10_000, highlight=False))
    return "".join(line.rstrip() + "\n" for line in text.getvalue().splitlines())
