"""Arguments that several subcommands take, and what becomes of them."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from eksml.plan import Plan
    from eksml.plan.project import Stack

Target = Annotated[
    str | None,
    typer.Argument(
        metavar="STACK|DIR",
        help="A stack of the project here, a folder with a Pulumi program, or a profile, where no stack is called so. "
        "Default: the only stack there is.",
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
        "eksml:workload, or of its platform, such as eksml:platform.serving.kserve={}. VALUE is YAML. Repeatable.",
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

Prices = Annotated[
    Path | None,
    typer.Option(
        "--prices",
        metavar="FILE",
        help="Prices that count before the catalog's, from `eksml prices refresh`.",
        show_default=False,
    ),
]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


def assume_option(example: str) -> Any:
    """The option that changes assumptions, with an example of one."""
    return typer.Option(
        "--assume",
        metavar="NAME=VALUE",
        help=f"Change an assumption, such as {example}. Repeatable.",
        show_default=False,
    )


def plan_of(target: str | None, stack: str | None, settings: list[str] | None, platform: str | None = None) -> "Plan":
    """The Plan that the arguments mean, recorded while a terminal shows that something is under way."""
    return recorded(stack_of(target, stack, settings, platform))


def stack_of(target: str | None, stack: str | None, settings: list[str] | None, platform: str | None) -> "Stack":
    """The stack that the arguments mean, with their settings, on its platform."""
    from eksml.plan.project import stacks_of

    if platform and target and platform in stacks_of(Path(target)):
        # What suits that platform is in a stack file of its name.
        stack = stack or platform
    values = values_of(settings or [], "--set", "pools.train.gpuLimit=8")
    found = _stack(target, stack).on_platform(platform).with_settings(values)
    if found.platform and found.lent:
        lent = ", ".join(found.lent)
        typer.echo(f"eksml: shown with {lent}, which the stack {found.platform.name} has to have first", err=True)
    return found


def recorded(stack: "Stack") -> "Plan":
    """The Plan of a stack, recorded while a terminal shows that something is under way."""
    from eksml.cli.output import working

    with working(f"Running the program of {stack.name}, offline"):
        # The SDKs of the providers take seconds to load, so not before the arguments are known to be good.
        from eksml.plan.recorder import record

        return record(stack)


def _stack(target: str | None, name: str | None) -> "Stack":
    """The stack that the arguments mean; a profile without settings, where its name is no folder's and no stack's."""
    from eksml.plan.project import find_stack

    if target and not name and _is_profile(target) and not _is_here(target):
        return stack_without_file(target, {"profile": target}, "us-west-2")
    return find_stack(target, name)


def _is_profile(name: str) -> bool:
    """Whether a profile has the name: by its file, for the package of the profiles loads the SDKs of the providers."""
    return (files("eksml") / "profiles" / f"{name}.yaml").is_file()


def _is_here(target: str) -> bool:
    """Whether it is a folder, or a stack of the project here."""
    from eksml.plan.project import project_above, read_project, stacks_of

    file = project_above(Path.cwd())
    return Path(target).is_dir() or (file is not None and target in stacks_of(read_project(file).stack_directory))


def stack_without_file(name: str, settings: Mapping[str, Any], region: str) -> "Stack":
    """A stack of the program that every platform has, with settings that no file holds."""
    from eksml.config_keys import PLATFORM
    from eksml.plan.project import Stack

    program = Path(str(files("eksml.cli") / "templates" / "program.py"))
    config = {"aws:region": region, PLATFORM: dict(settings)}
    return Stack("eksml", name, directory=program.parent, program=program, config=config)


def shown_name(plan: "Plan", target: str | None) -> str:
    """The name of a stack; of a workload's with its folder, for it may be called as its platform's."""
    if plan.platform is None:
        return plan.stack
    folder = Path(target) if target and Path(target).is_dir() else Path.cwd()
    return f"{plan.stack} of {folder.resolve().name}"


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
