"""This machine: its programs, its address, and what it reaches."""

import http.client
import os
import subprocess
from base64 import b64encode
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from eksml.errors import InputError

# A host of which a part is empty, or too long, is no text that a resolver takes.
_UNREACHED = (OSError, http.client.HTTPException, UnicodeError)
_PROGRAM_SECONDS = 20
_CONNECT_SECONDS = 5
_PROXY_PORT = 3128
_ADDRESS_SERVICE = "https://checkip.amazonaws.com"


class Machine:
    """This machine, as questions see it; tests have one of their own."""

    def said_by(self, command: Sequence[str]) -> str | None:
        """What a program prints; None where there is no such program, or where it fails."""
        try:
            done = subprocess.run(  # noqa: S603
                command,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=True,
                timeout=_PROGRAM_SECONDS,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        # Some print their version to standard error.
        return done.stdout or done.stderr

    def setting(self, name: str) -> str:
        """An environment variable without blanks around it, which files leave there; or an empty text."""
        return os.environ.get(name, "").strip()

    def status_of(self, url: str, token: str = "") -> int | None:
        """The HTTP status of a HEAD request, redirects not followed; None where nobody answers."""
        return _request("HEAD", url, token)[0]

    def address(self) -> str | None:
        """The address from which the internet sees this machine, asked of a service of AWS; None where it is silent."""
        status, body = _request("GET", _ADDRESS_SERVICE, "")
        return body.strip() if status == http.client.OK else None

    def reaches(self, host: str, port: int) -> bool:
        """Whether a connection can be made."""
        connection = _connection(http.client.HTTPConnection, "https", host, port)
        try:
            connection.connect()
        except _UNREACHED:
            return False
        finally:
            connection.close()
        return True


def _connection(
    kind: type[http.client.HTTPConnection], scheme: str, host: str, port: int | None
) -> http.client.HTTPConnection:
    """A connection to a host, through the proxy of this machine if it has one, as Pulumi and AWS go."""
    proxy = urlsplit(getproxies().get(scheme, ""))
    if not proxy.hostname or proxy_bypass(host):
        return kind(host, port, timeout=_CONNECT_SECONDS)
    connection = kind(proxy.hostname, proxy.port or _PROXY_PORT, timeout=_CONNECT_SECONDS)
    secret = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}" if proxy.username else ""
    headers = {"Proxy-Authorization": f"Basic {b64encode(secret.encode()).decode()}"} if secret else {}
    connection.set_tunnel(host, port, headers)
    return connection


def _request(method: str, url: str, token: str) -> tuple[int | None, str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{url}: must be the address of a server, such as https://huggingface.co")
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = _connection(kind, parts.scheme, parts.hostname, port)
    try:
        headers = {"User-Agent": "eksml"} | ({"Authorization": f"Bearer {token}"} if token else {})
        connection.request(method, parts.path or "/", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(1000).decode(errors="replace")
    except _UNREACHED:
        return None, ""
    finally:
        connection.close()
