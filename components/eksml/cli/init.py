"""`eksml init`: a new stack file, and around it a project where there is none."""

import json
from importlib.resources import files
from pathlib import Path
from shlex import quote
from string import Template
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from eksml.plan.project import Project


def init(
    name: Annotated[str, typer.Argument(help="Name of the new stack, such as research-eu.")],
    profile: Annotated[str, typer.Option("--profile", metavar="PROFILE", help="research, production or startup.")],
    region: Annotated[str, typer.Option("--region", metavar="REGION", help="AWS region.")] = "us-west-2",
) -> None:
    """Write a new stack file.

    It has comments on what can be set, and previews as it is. Outside a Pulumi project, Pulumi.yaml, __main__.py and
    the schema by which editors complete come with it. Nothing that exists is overwritten.

    \b
    Examples:
      eksml init research-eu --profile research --region eu-central-1
      eksml preview research-eu
    """
    from eksml.errors import InputError, SpecError
    from eksml.profiles import platform_spec

    try:
        platform_spec({"profile": profile}, region=region, name=platform_name(name))
    except SpecError as error:
        # Of the three that are given, only the region can be at odds with a pool of the profile.
        if not any(problem.path[:1] == ("pools",) for problem in error.problems):
            raise
        raise InputError(f"{_lacking(profile, region) or error}\n{_way_out(name, profile, region)}") from None
    write_stack(name, filled("stack.yaml", {"stack": name, "profile": profile, "region": region, **_project_words()}))


def _lacking(profile: str, region: str) -> str | None:
    """Which instance types of a profile a region does not have, and where they all are; None: it has them all."""
    from eksml.catalog import instance_types, priced_regions
    from eksml.profiles import profile_settings

    pools = profile_settings(profile)["pools"].values()
    types = {name: instance_types()[name].regions for pool in pools for name in pool["instanceTypes"]}
    missing = [name for name, regions in types.items() if region not in regions]
    able = [each for each in sorted(priced_regions()) if all(each in regions for regions in types.values())]
    if not missing:
        return None
    return (
        f"region: EC2 does not offer {', '.join(missing)} of the profile {profile} in {region}; "
        f"all its types are in {', '.join(able)}"
    )


def _way_out(name: str, profile: str, region: str) -> str:
    """What to do in a region that does not have the profile's GPUs: take others, or go elsewhere."""
    from eksml.advisor import recommend_profile
    from eksml.errors import SpecError

    goal = "research" if profile == "research" else "production"
    answers = {"goal": goal, "team": profile, "region": region}
    try:
        recommend_profile(answers)
    except SpecError as error:
        return str(error)
    given = " ".join(f"--answer {key}={value}" for key, value in answers.items())
    return f"the profile with other GPUs: eksml recommend {given} --stack {quote(name)}"


def platform_name(stack: str) -> str:
    """The name that the platform of a new stack has: the project's, of one that is or is to be made, and its own."""
    return f"{_project_words()['project']}-{stack}"


def new_stack_file(name: str) -> Path:
    """Where the file of a new stack is to be. Raises InputError where there is one."""
    from eksml.errors import InputError

    project = _project()
    file = (project.stack_directory if project else Path.cwd()) / f"Pulumi.{name}.yaml"
    if file.exists():
        raise InputError(f"{file.parent}: {file.name} exists, and nothing is overwritten")
    return file


def write_stack(name: str, text: str) -> None:
    """Writes a new stack file, and a project around it where there is none; says which files. Raises InputError."""
    from eksml.cli.output import write_files
    from eksml.errors import InputError
    from eksml.plan.project import PROJECT_FILES
    from eksml.profiles.schema import stack_file_schema

    project = _project()
    directory = project.stack_directory if project else Path.cwd()
    contents = {f"Pulumi.{name}.yaml": text}
    if not project:
        words = _project_words()
        contents |= {PROJECT_FILES[0]: filled("project.yaml", words), "__main__.py": filled("program.py", words)}
    schema_file = directory / "stack.schema.json"
    if not schema_file.exists():
        contents[schema_file.name] = json.dumps(stack_file_schema(), indent=2, ensure_ascii=False) + "\n"
    if existing := [file_name for file_name in contents if (directory / file_name).exists()]:
        raise InputError(f"{directory}: {', '.join(existing)} exists, and nothing is overwritten")
    write_files(directory, contents)
    for file_name in contents:
        typer.echo(directory / file_name)


def _project() -> "Project | None":
    from eksml.plan.project import project_above, read_project

    file = project_above(Path.cwd())
    return read_project(file) if file else None


def _project_words() -> dict[str, str]:
    project = _project()
    return {"project": project.name if project else _project_name(Path.cwd())}


def _project_name(directory: Path) -> str:
    """A name for a project, from the folder's: what Pulumi and the names of AWS allow."""
    letters = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in directory.name.lower())
    return letters.strip("-0123456789")[:16].strip("-") or "eksml"


def filled(template: str, words: dict[str, str]) -> str:
    """The text of a template."""
    text = files("eksml.cli").joinpath("templates", template).read_text(encoding="utf-8")
    return Template(text).substitute(words)
