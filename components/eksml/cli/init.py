"""`eksml init`: a new stack file, and around it a project where there is none."""

import json
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated

import typer


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
    from eksml.cli.output import write_files
    from eksml.errors import InputError
    from eksml.plan.project import PROJECT_FILES, project_above, read_project
    from eksml.profiles import platform_spec
    from eksml.profiles.schema import stack_file_schema

    project_file = project_above(Path.cwd())
    project = read_project(project_file) if project_file else None
    directory = project.stack_directory if project else Path.cwd()
    project_name = project.name if project else _project_name(Path.cwd())
    platform_spec({"profile": profile}, region=region, name=f"{project_name}-{name}")
    words = {"stack": name, "profile": profile, "region": region, "project": project_name}
    contents = {f"Pulumi.{name}.yaml": _filled("stack.yaml", words)}
    if not project:
        contents |= {PROJECT_FILES[0]: _filled("project.yaml", words), "__main__.py": _filled("program.py", words)}
    schema_file = directory / "stack.schema.json"
    if not schema_file.exists():
        contents[schema_file.name] = json.dumps(stack_file_schema(), indent=2, ensure_ascii=False) + "\n"
    if existing := [file_name for file_name in contents if (directory / file_name).exists()]:
        raise InputError(f"{directory}: {', '.join(existing)} exists, and init overwrites nothing")
    write_files(directory, contents)
    for file_name in contents:
        typer.echo(directory / file_name)


def _project_name(directory: Path) -> str:
    """A name for a project, from the folder's: what Pulumi and the names of AWS allow."""
    letters = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in directory.name.lower())
    return letters.strip("-0123456789")[:16].strip("-") or "eksml"


def _filled(template: str, words: dict[str, str]) -> str:
    text = files("eksml.cli").joinpath("templates", template).read_text(encoding="utf-8")
    return Template(text).substitute(words)
