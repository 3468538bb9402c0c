"""`eksml schema`: the JSON Schema of stack files."""

import json

import typer


def schema() -> None:
    """Print the JSON Schema of stack files.

    Editors complete and check a stack file by it.

    \b
    Examples:
      eksml schema > stack.schema.json
    """
    from eksml.profiles.schema import stack_file_schema

    typer.echo(json.dumps(stack_file_schema(), indent=2, ensure_ascii=False))
