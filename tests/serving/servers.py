"""Little HTTP servers that tests talk to."""

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Asked(NamedTuple):
    """What a server was asked."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Said(NamedTuple):
    """What it answers."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = {}
    cut_after: int | None = None
    """After how many bytes of the body the connection is cut."""


class Server(ThreadingHTTPServer):
    """A server on a port of its own, or on that of one that is gone."""

    daemon_threads = True

    def __init__(self, answer: Callable[[Asked], Said], port: int = 0):
        self.asked: list[Asked] = []
        self._answer = answer
        super().__init__(("127.0.0.1", port), _Handler)

    def answer(self, asked: Asked) -> Said:
        self.asked.append(asked)
        return self._answer(asked)

    @property
    def port(self) -> int:
        return self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing of clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        assert isinstance(self.server, Server)
        said = self.server.answer(Asked(self.command, self.path, dict(self.headers), body))
        self.send_response(said.status)
        for name, value in {"Content-Length": str(len(said.body)), **said.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said.body[: said.cut_after])

    do_GET = do_POST = do_HEAD = _any  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(answer: Callable[[Asked], Said], port: int = 0) -> Generator[Server]:
    """Answers until the block ends."""
    with Server(answer, port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    """A port that nobody listens on."""
    with Server(lambda _: Said()) as server:
        return server.port
