"""A server that speaks MLflow's API, as far as it is read here."""

import base64
import json
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field

from serving.servers import Asked, Said

ROOT = "1/models/m-0123/artifacts"


@dataclass
class Registry:
    """A registered model `fraud` with one alias."""

    files: dict[str, bytes]
    version: int = 3
    uri: str = f"mlflow-artifacts:/{ROOT}"
    user: str | None = None
    """Who may read, and the password: USER:PASSWORD."""
    next: list[Callable[[Asked], Said | None]] = field(default_factory=list)
    """What is answered first; None: what comes next or is right."""

    def answer(self, asked: Asked) -> Said:
        while self.next:
            if said := self.next.pop(0)(asked):
                return said
        if self.user and asked.headers.get("Authorization") != f"Basic {base64.b64encode(self.user.encode()).decode()}":
            return Said(401)
        path, _, text = asked.path.partition("?")
        query = dict(urllib.parse.parse_qsl(text))
        if path == "/api/2.0/mlflow/registered-models/alias" and query == {"name": "fraud", "alias": "champion"}:
            return _json({"model_version": {"name": "fraud", "version": str(self.version), "status": "READY"}})
        if path == "/api/2.0/mlflow/registered-models/alias":
            # As MLflow 3.17 does.
            message = f"Registered model alias {query['alias']} not found."
            return _json({"error_code": "INVALID_PARAMETER_VALUE", "message": message})._replace(status=400)
        if path == "/api/2.0/mlflow/model-versions/get-download-uri" and query["version"] == str(self.version):
            return _json({"artifact_uri": self.uri})
        if path == "/api/2.0/mlflow/runs/get" and query == {"run_id": "0123"}:
            return _json({"run": {"info": {"artifact_uri": f"mlflow-artifacts:/{ROOT.removesuffix('/artifacts')}"}}})
        if path == "/api/2.0/mlflow/logged-models/m-0123":
            return _json({"model": {"info": {"artifact_uri": f"mlflow-artifacts:/{ROOT}"}}})
        artifacts = "/api/2.0/mlflow-artifacts/artifacts"
        if path == artifacts:
            return self._list(query["path"].removeprefix(ROOT).strip("/"))
        if path.startswith(f"{artifacts}/{ROOT}/"):
            return Said(body=self.files[urllib.parse.unquote(path.removeprefix(f"{artifacts}/{ROOT}/"))])
        return Said(404)

    def _list(self, folder: str) -> Said:
        below = f"{folder}/" if folder else ""
        entries: dict[str, dict[str, object]] = {}
        for path, content in self.files.items():
            if path.startswith(below):
                name, _, rest = path.removeprefix(below).partition("/")
                # As MLflow says it: a number of 64 bits is a text.
                size = {} if rest else {"file_size": str(len(content))}
                entries[name] = {"path": name, "is_dir": bool(rest), **size}
        return _json({"files": list(entries.values())})


def _json(answer: object) -> Said:
    return Said(body=json.dumps(answer).encode(), headers={"Content-Type": "application/json"})
