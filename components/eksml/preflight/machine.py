"""This machine: its programs, its address, and what it reaches."""

import http.client
import os
import socket
import subprocess
from collections.abc import Sequence
from urllib.parse import urlsplit

from eksml.errors import InputError

_PROGRAM_SECONDS = 20
_CONNECT_SECONDS = 5
_ADDRESS_SERVICE = "https://checkip.amazonaws.com"


class Machine:
    """This machine, as questions see it; tests have one of their own."""

    def said_by(self, command: Sequence[str]) -> str | None:
        """What a program prints; None where there is no such program, or where it fails."""
        try:
            done = subprocess.run(  # noqa: S603
                command, capture_output=True, text=True, check=True, timeout=_PROGRAM_SECONDS, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.SubprocessError):
            return None
        # Some print their version to standard error.
        return done.stdout or done.stderr

    def setting(self, name: str) -> str:
        """An environment variable, or an empty text."""
        return os.environ.get(name, "")

    def status_of(self, url: str, token: str = "") -> int | None:
        """The HTTP status of a HEAD request, redirects not followed; None where nobody answers."""
        return _request("HEAD", url, token)[0]

    def address(self) -> str | None:
        """The address from which the internet sees this machine, asked of a service of AWS; None where it is silent."""
        status, body = _request("GET", _ADDRESS_SERVICE, "")
        return body.strip() if status == http.client.OK else None

    def reaches(self, host: str, port: int) -> bool:
        """Whether a connection can be made."""
        try:
            with socket.create_connection((host, port), timeout=_CONNECT_SECONDS):
                return True
        except OSError:
            return False


def _request(method: str, url: str, token: str) -> tuple[int | None, str]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{url}: must be the address of a server, such as https://huggingface.co")
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=_CONNECT_SECONDS)
    try:
        headers = {"User-Agent": "eksml"} | ({"Authorization": f"Bearer {token}"} if token else {})
        connection.request(method, parts.path or "/", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(1000).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return None, ""
    finally:
        connection.close()
