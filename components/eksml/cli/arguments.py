"""Arguments that several subcommands take, and what becomes of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from eksml.plan import Plan

Target = Annotated[
    str | None,
    typer.Argument(
        metavar="STACK|DIR",
        help="A stack of the project here, or a folder with a Pulumi program. Default: the only stack there is.",
        show_default=False,
    ),
]
StackName = Annotated[
    str | None, typer.Option("--stack", metavar="STACK", help="The stack, where DIR has several.", show_default=False)
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Set a value below eksml:platform for this run, such as pools.train.size=4; of a blueprint below "
        "eksml:workload. VALUE is YAML. Repeatable.",
        show_default=False,
    ),
]

PlatformName = Annotated[
    str | None,
    typer.Option(
        "--platform",
        metavar="PROFILE|STACK",
        help="For a blueprint: the platform to run on. Default: the one that it names.",
        show_default=False,
    ),
]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


def plan_of(target: str | None, stack: str | None, settings: list[str] | None, platform: str | None = None) -> "Plan":
    """The Plan that the arguments mean, recorded while a terminal shows that something is under way."""
    from eksml.cli.output import working
    from eksml.plan.project import find_stack, stacks_of

    if platform and target and platform in stacks_of(Path(target)):
        # What suits that platform is in a stack file of its name.
        stack = stack or platform
    found = find_stack(target, stack).on_platform(platform).with_settings(_parsed(settings or []))
    with working(f"Running the program of {found.name}, offline"):
        # The SDKs of the providers take seconds to load, so not before the arguments are known to be good.
        from eksml.plan.recorder import record

        return record(found)


def _parsed(settings: list[str]) -> dict[str, object]:
    from eksml.errors import InputError
    from eksml.plan.project import parse_yaml

    values: dict[str, object] = {}
    for setting in settings:
        path, equals, value = setting.partition("=")
        if not equals:
            raise InputError(f"--set {setting}: must be PATH=VALUE, such as pools.train.gpuLimit=8")
        values[path] = parse_yaml(value, f"--set {path}")
    return values
