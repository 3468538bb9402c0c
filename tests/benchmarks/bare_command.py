"""What `eksml fit` is measured against: Typer, Rich and pydantic, loaded by the least that a command does with each.

They put off most of their own imports until something is done with them: Typer loads pydantic to read an option.
"""

from typing import Annotated

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table


class Model(BaseModel):
    """A model of one field."""

    size: int


def command(size: Annotated[int, typer.Option()] = 1) -> None:
    """Prints a table of one cell."""
    table = Table()
    table.add_row(str(Model(size=size).size))
    Console().print(table)


typer.run(command)
