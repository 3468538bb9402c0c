"""As much of the Kubernetes API as gives and patches Secrets; the control plane tier asks the real one for it."""

import base64
import json
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "of the Job's service account"


@contextmanager
def secrets_api(secrets: dict[str, dict[str, str]], certificate: Path) -> Generator[str]:
    """The address of a server that has these Secrets, by NAMESPACE/NAME, while it runs.

    Arguments:
        secrets: their values, which it changes.
        certificate: a PEM file with its certificate and key, for localhost.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_PATCH(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(body["stringData"])

        def _answer(self, values: dict[str, str]) -> None:
            assert self.headers["Authorization"] == f"Bearer {TOKEN}"
            _, _, _, _, namespace, _, name = self.path.split("/")
            found = secrets.get(f"{namespace}/{name}")
            self.send_response(404 if found is None else 200)
            self.end_headers()
            if found is not None:
                found |= values
                data = {key: base64.b64encode(value.encode()).decode() for key, value in found.items()}
                self.wfile.write(json.dumps({"data": data} if data else {}).encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://localhost:{server.server_port}"
        server.shutdown()
