"""What all clients of served models do alike: arguments, the connection, and what is said when it fails.

An API key or a bearer token is read from the environment variable API_KEY, never from an argument, which others see.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx2

SECONDS_TO_CONNECT = 10
# A server that wakes from zero waits for a node, an image and its weights, while its caller is held.
SECONDS_TO_ANSWER = 900


class ServerError(Exception):
    """What a person must know of a request that failed."""


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The arguments that every client has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--url", required=True, help="address of the server, such as http://localhost:8000")
    parser.add_argument("--timeout", type=float, default=SECONDS_TO_ANSWER, help=f"seconds ({SECONDS_TO_ANSWER})")
    return parser


def run(main: Callable[[], object]) -> NoReturn:
    """Ends the program: with 1 and a sentence where the server or its answer is not as it should be."""
    try:
        code = main()
    except ServerError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


class Server:
    """One connection to a server of models.

    Arguments:
        url: its address, without the path of a protocol.
        timeout: after how many seconds without a byte a request fails.
    """

    def __init__(self, url: str, timeout: float = SECONDS_TO_ANSWER):
        self.url = url.rstrip("/")
        key = os.environ.get("API_KEY")
        if key and not _is_private(self.url):
            raise ServerError(f"--url: {url} given, but API_KEY would be readable on the way: take https, or a tunnel")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx2.Timeout(timeout, connect=SECONDS_TO_CONNECT)
        self._http = httpx2.Client(headers=headers, timeout=limits)

    def get(self, path: str) -> Any:
        """The JSON at a path."""
        return self._json(path, self._guarded(path, lambda: self._http.get(self.url + path)))

    def post(self, path: str, content: Any) -> Any:
        """The JSON that answers to a JSON."""
        return self._json(path, self._guarded(path, lambda: self._http.post(self.url + path, json=content)))

    def post_bytes(self, path: str, content: bytes, headers: dict[str, str]) -> httpx2.Response:
        """What answers to bytes."""
        return self._guarded(path, lambda: self._http.post(self.url + path, content=content, headers=headers))

    def stream(self, path: str, content: Any) -> Iterator[Any]:
        """Each event that answers to a JSON, as soon as it is there."""
        try:
            with self._http.stream("POST", self.url + path, json=content) as response:
                if response.is_error:
                    response.read()
                    raise ServerError(self._refusal(path, response))
                for line in response.iter_lines():
                    event = line.removeprefix("data:").strip()
                    if line.startswith("data:") and event != "[DONE]":
                        yield json.loads(event)
        except (httpx2.HTTPError, json.JSONDecodeError) as error:
            raise ServerError(self._failure(path, error)) from error

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()

    def _guarded(self, path: str, request: Callable[[], httpx2.Response]) -> httpx2.Response:
        try:
            response = request()
        except httpx2.HTTPError as error:
            raise ServerError(self._failure(path, error)) from error
        if response.is_error:
            raise ServerError(self._refusal(path, response))
        return response

    def _json(self, path: str, response: httpx2.Response) -> Any:
        try:
            return response.json()
        except ValueError:
            raise ServerError(f"{self.url}{path}: no JSON but {response.text[:200]!r}: is it this protocol?") from None

    def _failure(self, path: str, error: Exception) -> str:
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            tunnel = "kubectl -n NAMESPACE port-forward service/NAME 8000, then --url http://localhost:8000"
            return f"{self.url}: nobody listens ({error}). Is the tunnel open? {tunnel}"
        if isinstance(error, httpx2.TimeoutException):
            return f"{self.url}{path}: no answer in time. While the server wakes, --timeout may be longer"
        return f"{self.url}{path}: {error or type(error).__name__}. kubectl -n NAMESPACE logs deployment/NAME says why"

    def _refusal(self, path: str, response: httpx2.Response) -> str:
        hints = {
            401: "set API_KEY to the API key or token",
            403: "this API_KEY may not",
            404: "no such model or path: is --model right, and --url without the protocol's path?",
            502: "no pod is ready: kubectl -n NAMESPACE get pods",
            503: "no pod is ready: kubectl -n NAMESPACE get pods",
        }
        said = response.text.strip()[:500] or response.reason_phrase
        hint = hints.get(response.status_code)
        return f"{self.url}{path}: {response.status_code}: {said}" + (f" ({hint})" if hint else "")


def _is_private(url: str) -> bool:
    """Whether nobody reads along: TLS, this machine, or a Service of the cluster that the client runs in."""
    address = urlsplit(url)
    host = address.hostname or ""
    of_cluster = "." not in host or host.endswith((".svc", ".svc.cluster.local"))
    return address.scheme == "https" or of_cluster or host.startswith("127.") or host == "::1"
