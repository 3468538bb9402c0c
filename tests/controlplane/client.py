"""A small client of the Kubernetes API: objects are plain data, and what is refused is told in the server's words."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import urllib3

Item = Mapping[str, Any]


class RefusedError(Exception):
    """The API server did not do what it was asked to; the text is its message."""

    def __init__(self, status: Item):
        super().__init__(status.get("message", ""))
        self.code: int = status.get("code", 0)


@dataclass(frozen=True, repr=False)
class Client:
    """One user's way to the API server.

    An Item that is asked about needs no more than apiVersion, kind and metadata.name; without metadata.namespace, it is
    in the namespace `default` unless its kind has none.
    """

    url: str
    connections: urllib3.PoolManager
    headers: urllib3.HTTPHeaderDict
    """Who asks, and as whom."""
    made: list[Item] = field(default_factory=list)
    """What was created and is to be deleted after the test."""

    def as_user(self, name: str, *groups: str) -> "Client":
        """The same API as another user sees it, who needs not exist."""
        headers = self.headers.copy()
        headers.add("Impersonate-User", name)
        for group in groups:
            headers.add("Impersonate-Group", group)
        return replace(self, headers=headers)

    def create(self, item: Item, *, dry_run: bool = False, stays: bool = False) -> dict[str, Any]:
        """Creates an object, as the server then has it. A field that the server does not know is refused.

        Arguments:
            item: the object.
            dry_run: the server judges the object but does not keep it.
            stays: the object is not deleted after the test.
        """
        query = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        made = self._ask("POST", self._collection(item), query, item)
        if not (dry_run or stays):
            self.made.append(made)
        if item["kind"] == "Namespace" and not dry_run:
            # Pods are refused until the service account that they run as is there.
            account = {"name": "default", "namespace": made["metadata"]["name"]}
            self.wait_until({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}, bool)
        return made

    def get(self, item: Item) -> dict[str, Any]:
        """An object as it is now; empty if there is none."""
        try:
            return self._ask("GET", self._path(item))
        except RefusedError as refused:
            if refused.code == 404:
                return {}
            raise

    def all_of(self, api_version: str, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """Every object of a kind, of one namespace or of all."""
        resource = self._resource(api_version, kind)
        place = f"/namespaces/{namespace}" if namespace else ""
        return self._ask("GET", f"{_group(api_version)}{place}/{resource['name']}")["items"]

    def update(self, item: Item) -> dict[str, Any]:
        """Replaces an object, as it was got, by what is given."""
        return self._ask("PUT", self._path(item), {"fieldValidation": "Strict"}, item)

    def delete(self, item: Item) -> None:
        """Deletes an object, without waiting until it is gone. It may be gone already."""
        try:
            self._ask("DELETE", self._path(item), body={"gracePeriodSeconds": 0, "propagationPolicy": "Background"})
        except RefusedError as refused:
            if refused.code != 404:
                raise

    def wait_until(self, item: Item, holds: Callable[[dict[str, Any]], Any], seconds: float = 30) -> dict[str, Any]:
        """An object, once something holds of it; before there is one, it is empty. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while not holds(found := self.get(item)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {seconds} s: {json.dumps(found or item, indent=2)}")
            time.sleep(0.05)
        return found

    def knows(self, api_version: str, kind: str) -> bool:
        """Whether the server has a kind of objects."""
        try:
            self._resource(api_version, kind)
        except RefusedError:
            return False
        return True

    def delete_made(self) -> None:
        """Deletes what was created, the newest first, and waits until it is gone."""
        for item in reversed(self.made):
            self.delete(item)
        while self.made:
            item = self.made.pop()
            if item["kind"] == "Namespace":
                self._finish(item)
            self.wait_until(item, lambda found: not found)

    def _finish(self, namespace: Item) -> None:
        """Does to a deleted namespace what its controller does too, but only after five seconds; whoever is first."""
        name = namespace["metadata"]["name"]
        collections = self._collections(name)
        while any(self._ask("DELETE", each, body={"gracePeriodSeconds": 0})["items"] for each in collections):
            time.sleep(0.05)
        # The controller may be done already.
        if found := self.get(namespace):
            try:
                self._ask("PUT", f"/api/v1/namespaces/{name}/finalize", body={**found, "spec": {}})
            except RefusedError as refused:
                if refused.code not in (404, 409):
                    raise

    def _collections(self, namespace: str) -> list[str]:
        """Where everything is that a namespace may hold."""
        groups = self._ask("GET", "/apis")["groups"]
        return [
            f"{_group(api_version)}/namespaces/{namespace}/{resource['name']}"
            for api_version in ("v1", *(group["preferredVersion"]["groupVersion"] for group in groups))
            for resource in self._ask("GET", _group(api_version))["resources"]
            if resource["namespaced"] and "deletecollection" in resource["verbs"]
        ]

    def _path(self, item: Item) -> str:
        return f"{self._collection(item)}/{item['metadata']['name']}"

    def _collection(self, item: Item) -> str:
        resource = self._resource(item["apiVersion"], item["kind"])
        namespace = item["metadata"].get("namespace", "default")
        place = f"/namespaces/{namespace}" if resource["namespaced"] else ""
        return f"{_group(item['apiVersion'])}{place}/{resource['name']}"

    def _resource(self, api_version: str, kind: str) -> dict[str, Any]:
        for resource in self._ask("GET", _group(api_version))["resources"]:
            if resource["kind"] == kind and "/" not in resource["name"]:
                return resource
        raise RefusedError({"code": 404, "message": f"{api_version} has no {kind}"})

    def _ask(self, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None) -> dict[str, Any]:
        address = f"{self.url}{path}?{urlencode(query or {})}"
        answer = self.connections.request(method, address, headers=self.headers, json=body, timeout=30)
        # An address that leads nowhere is answered in plain text.
        is_data = "json" in answer.headers["Content-Type"]
        content = answer.json() if is_data else {"code": answer.status, "message": answer.data.decode()}
        if answer.status >= 400:
            raise RefusedError(content)
        return content


def _group(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
