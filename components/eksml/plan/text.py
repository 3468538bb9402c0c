"""A Plan for people: its tree, Kubernetes objects, exports, cold starts, and what to know before `pulumi up`."""

from collections.abc import Callable
from io import StringIO
from textwrap import indent

import yaml
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from eksml.plan.access import ACCESS, MISSING_SECRETS, show_access
from eksml.plan.cold_starts import show_cold_starts
from eksml.plan.counts import counts
from eksml.plan.manifests import objects
from eksml.plan.model import Plan
from eksml.plan.notes import notes
from eksml.plan.tree import Node, tree

# Text that goes to a file has no width; lines that are cut or wrapped would be lost for grep and diff.
_UNLIMITED = 10_000


def show(plan: Plan, console: Console) -> None:
    """Prints a Plan."""
    platform = f", on the platform {escape(plan.platform.stack)}" if plan.platform else ""
    root = Tree(f"[bold]Stack {escape(plan.stack)}{platform}[/]")
    for node in tree(plan):
        _add(root, node)
    console.print(root)
    _show_objects(plan, console)
    _show_exports(plan, console)
    show_cold_starts(plan, console)
    show_access(plan, console)
    made = counts(plan)
    by_package = ", ".join(f"{number} of {package}" for package, number in made.by_package.items())
    console.print(f"\n[bold]{made.total} resources[/]: {made.components} components, {by_package}")
    for note in notes(plan):
        console.print(f"[yellow]Note[/]: {escape(note)}")


def plain_text(show_on: Callable[[Console], None]) -> str:
    """What something prints on a console, as text without colour or line breaks of its own."""
    text = StringIO()
    show_on(Console(file=text, width=_UNLIMITED, highlight=False))
    return "".join(line.rstrip() + "\n" for line in text.getvalue().splitlines())


def _add(branch: Tree, node: Node) -> None:
    detail = f"  [cyan]{escape(node.detail)}[/]" if node.detail else ""
    below = branch.add(f"[bold]{escape(node.name)}[/]  [dim]{escape(node.type)}[/]{detail}")
    for child in node.children:
        _add(below, child)


def _show_objects(plan: Plan, console: Console) -> None:
    console.print("\n[bold]Kubernetes objects[/]  (YAML: eksml manifests)")
    for item in objects(plan):
        metadata = item["metadata"]
        place = f" in {metadata['namespace']}" if "namespace" in metadata else ""
        console.print(f"  {item['kind']} {metadata['name']}{place}  [dim]{item['apiVersion']}[/]")


def _show_exports(plan: Plan, console: Console) -> None:
    console.print("\n[bold]Exports[/]")
    shown = {name: value for name, value in plan.exports.items() if name not in (ACCESS, MISSING_SECRETS)}
    exports = yaml.safe_dump(shown, default_flow_style=None, allow_unicode=True, width=200)
    console.print(escape(indent(exports if shown else "none\n", "  ")), end="")
