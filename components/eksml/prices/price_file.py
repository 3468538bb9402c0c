"""Files of prices: what `eksml prices refresh` writes, and `eksml cost --prices` reads."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from eksml._error_text import problems_of
from eksml.catalog import PriceList
from eksml.errors import InputError
from eksml.json_file import read_json


def read_prices(file: Path) -> PriceList:
    """The prices of a file. Raises InputError with everything that is wrong with it."""
    content = read_json(file, "a file that `eksml prices refresh` wrote")
    try:
        return PriceList.model_validate(content)
    except ValidationError as error:
        problems = sorted({str(problem) for problem in problems_of(PriceList, error, content)})
        raise InputError("\n".join(f"{file}: {problem}" for problem in problems)) from None


def prices_text(prices: PriceList) -> str:
    """What a file of these prices has in it: sorted, so that a diff shows what changed."""
    return json.dumps(prices.model_dump(mode="json", by_alias=True), indent=2, sort_keys=True) + "\n"
