"""Secrets of the cluster that are filled from inside it, so that no program, state or manifest has their passwords.

Each is there, by its name and empty at first: nobody here may make one, list them, or read another.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import ssl
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

_OF_OURS = re.compile(r"[0-9a-f]{48}")


def kept(values: dict[str, str], key: str) -> str:
    """The password of a Secret, or another one where it has none that was made here."""
    return values[key] if _OF_OURS.fullmatch(values.get(key, "")) else unknown()


def unknown() -> str:
    """A password that nobody knows."""
    return secrets.token_hex(24)


def read(namespace: str, name: str) -> dict[str, str]:
    """What is in a Secret."""
    data = _ask("GET", namespace, name).get("data") or {}
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}


def write(namespace: str, name: str, values: dict[str, str]) -> None:
    """Puts values into a Secret, beside those that it has."""
    _ask("PATCH", namespace, name, {"stringData": values})


def _ask(method: str, namespace: str, name: str, body: Any = None) -> dict[str, Any]:
    account = Path(os.environ["SERVICE_ACCOUNT_DIRECTORY"])
    request = Request(  # noqa: S310
        f"{os.environ['KUBERNETES_API']}/api/v1/namespaces/{namespace}/secrets/{name}",
        data=json.dumps(body).encode() if body else None,
        headers={
            "Authorization": f"Bearer {(account / 'token').read_text()}",
            "Content-Type": "application/merge-patch+json",
        },
        method=method,
    )
    context = ssl.create_default_context(cafile=str(account / "ca.crt"))
    with urlopen(request, timeout=30, context=context) as answer:  # noqa: S310
        return json.load(answer)
