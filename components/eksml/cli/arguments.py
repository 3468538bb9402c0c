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
    found = (
        find_stack(target, stack)
        .on_platform(platform)
        .with_settings(values_of(settings or [], "--set", "pools.train.gpuLimit=8"))
    )
    with working(f"Running the program of {found.name}, offline"):
        # The SDKs of the providers take seconds to load, so not before the arguments are known to be good.
        from eksml.plan.recorder import record

        return record(found)


def plan_or_file(
    target: str, stack: str | None, settings: list[str] | None, platform: str | None = None
) -> "tuple[Plan, bool]":
    """The Plan of a stack, a folder or a file, and whether the engine wrote it."""
    from eksml.errors import InputError
    from eksml.plan.plan_file import read_plan_file

    if not is_file(target):
        return plan_of(target, stack, settings, platform), False
    if settings:
        raise InputError(f"--set: {target} is a file, which cannot be run with other settings")
    return read_plan_file(Path(target))


def is_file(target: str) -> bool:
    """Whether it is a file, or a pipe as in `eksml diff <(…) research`."""
    path = Path(target)
    return path.suffix == ".json" or (path.exists() and not path.is_dir())


def values_of(settings: list[str], option: str, example: str) -> dict[str, object]:
    """The values of an option of the form NAME=VALUE that is given any number of times; each is YAML."""
    from eksml.errors import InputError
    from eksml.plan.project import parse_yaml

    values: dict[str, object] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            form = "PATH=VALUE" if option == "--set" else "NAME=VALUE"
            raise InputError(f"{option} {setting}: must be {form}, such as {example}")
        values[name] = parse_yaml(value, f"{option} {name}")
    return values
