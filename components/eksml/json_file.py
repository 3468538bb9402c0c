"""Files of JSON that a user gives."""

import json
from pathlib import Path
from typing import Any

from eksml.errors import InputError


def read_json(file: Path, wanted: str = "") -> Any:
    """What a file has in it.

    Arguments:
        file: the file.
        wanted: what it must be, for the message where it is no JSON.

    Raises InputError where it cannot be read.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{file}: not JSON{wanted and f': it must be {wanted}'}") from None
