"""The model that an argument names."""

import json
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
    from eksml.sizing import shape_from_config, shape_of

    path = Path(model)
    if not path.exists() and path.suffix != ".json":
        return shape_of(model)
    file = path / "config.json" if path.is_dir() else path
    try:
        return shape_from_config(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None
    except InputError as error:
        raise InputError("\n".join(f"{file}: {line}" for line in str(error).splitlines())) from None
    except (ValueError, RecursionError):
        raise InputError(f"{file}: not JSON: it must be the config.json beside the weights of a model") from None
