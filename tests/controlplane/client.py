"""A small client of the Kubernetes API: objects are plain data, and what is refused is told in the server's words."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import urllib3

Item = Mapping[str, Any]

_EVERY_RESOURCE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_METADATA = "application/json;g=meta.k8s.io;v=v1;as=PartialObjectMetadataList"
"""What is asked for: of all groups at once what they have, and of objects no more than their names."""


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
    resources: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """By API version and kind, what the server has told of a kind already."""

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

    def token(self, namespace: str, account: str) -> str:
        """What a service account proves itself by."""
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        return self._ask("POST", path, body=asked)["status"]["token"]

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
        self.resources.pop((api_version, kind), None)
        try:
            self._resource(api_version, kind)
        except RefusedError:
            return False
        return True

    def delete_made(self) -> None:
        """Deletes what was created, the newest first and a namespace with what it holds, and waits until it is gone."""
        namespaces = [item for item in self.made if item["kind"] == "Namespace"]
        ending = {each["metadata"]["name"] for each in namespaces}
        apart = [item for item in self.made if item["metadata"].get("namespace") not in ending]
        for item in reversed(apart):
            self.delete(item)
        self._finish(namespaces)
        for item in apart:
            self.wait_until(item, lambda found: not found)
        self.made.clear()

    def _finish(self, namespaces: list[Item]) -> None:
        """Does to deleted namespaces what their controller does too, but only after five seconds; whoever is first."""
        ending = {each["metadata"]["name"] for each in namespaces}
        # Nothing is made in a namespace that ends: what is found once is all that is to go.
        held = {place for each in self._collections() for place in self._places(*each, ending)} if ending else set()
        while held:
            for place in held:
                self._ask("DELETE", place, body={"gracePeriodSeconds": 0})
            time.sleep(0.02)
            held = {place for place in held if self._ask("GET", place, {"limit": "1"})["items"]}
        for namespace in namespaces:
            # The controller may be done already.
            if found := self.get(namespace):
                try:
                    self._ask("PUT", f"{self._path(namespace)}/finalize", body={**found, "spec": {}})
                except RefusedError as refused:
                    if refused.code not in (404, 409):
                        raise

    def _places(self, version: str, resource: str, namespaces: set[str]) -> set[str]:
        """The paths, one for each namespace, of what there is of a kind in some namespaces."""
        items = self._ask("GET", f"{version}/{resource}", accept=_METADATA)["items"] or ()
        holders = {item["metadata"]["namespace"] for item in items} & namespaces
        return {f"{version}/namespaces/{namespace}/{resource}" for namespace in holders}

    def _collections(self) -> list[tuple[str, str]]:
        """The group's version, as a path, and the resource of everything that a namespace may hold."""
        return [
            ("/".join(filter(None, (root, group["metadata"].get("name"), preferred["version"]))), resource["resource"])
            for root in ("/api", "/apis")
            for group in self._ask("GET", root, accept=_EVERY_RESOURCE)["items"]
            for preferred in group["versions"][:1]
            for resource in preferred["resources"]
            if resource["scope"] == "Namespaced" and "deletecollection" in resource["verbs"]
        ]

    def _path(self, item: Item) -> str:
        return f"{self._collection(item)}/{item['metadata']['name']}"

    def _collection(self, item: Item) -> str:
        resource = self._resource(item["apiVersion"], item["kind"])
        namespace = item["metadata"].get("namespace", "default")
        place = f"/namespaces/{namespace}" if resource["namespaced"] else ""
        return f"{_group(item['apiVersion'])}{place}/{resource['name']}"

    def _resource(self, api_version: str, kind: str) -> dict[str, Any]:
        if (api_version, kind) not in self.resources:
            for resource in self._ask("GET", _group(api_version))["resources"]:
                if "/" not in resource["name"]:
                    self.resources[api_version, resource["kind"]] = resource
        try:
            return self.resources[api_version, kind]
        except KeyError:
            raise RefusedError({"code": 404, "message": f"{api_version} has no {kind}"}) from None

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        accept: str = "application/json",
    ) -> dict[str, Any]:
        address = f"{self.url}{path}?{urlencode(query or {})}"
        headers = self.headers | {"Accept": accept}
        answer = self.connections.request(method, address, headers=headers, json=body, timeout=30)
        # An address that leads nowhere is answered in plain text.
        is_data = "json" in answer.headers["Content-Type"]
        content = answer.json() if is_data else {"code": answer.status, "message": answer.data.decode()}
        if answer.status >= 400:
            raise RefusedError(content)
        return content


def _group(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
