"""The model that an argument names."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from eksml.catalog import ModelShape

ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A model of the catalog by its id on the hub, or a config.json or its folder.",
    ),
]
Instance = Annotated[
    str | None,
    typer.Option(metavar="TYPE", help="Only this EC2 type, with what the answer rests on.", show_default=False),
]
Region = Annotated[str, typer.Option(help="AWS region of offers and prices.")]


def shape_named(model: str) -> "ModelShape":
    """The shape of a model of the catalog, or of the one whose config.json lies there. Raises InputError."""
    from eksml.errors import InputError
    from eksml.json_file import read_json
    from eksml.sizing import shape_from_config, shape_of

    path = Path(model)
    if not path.exists() and path.suffix != ".json":
        try:
            return shape_of(model)
        except InputError as error:
            raise InputError(f"{error}\nany other model is given by the path of its config.json") from None
    file = path / "config.json" if path.is_dir() else path
    config = read_json(file, "the config.json beside the weights of a model")
    try:
        return shape_from_config(config)
    except InputError as error:
        raise InputError("\n".join(f"{file}: {line}" for line in str(error).splitlines())) from None
