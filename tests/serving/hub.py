"""A server that speaks the API of the Hugging Face hub, as far as it is read here."""

import hashlib
import json
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field

from serving.servers import Asked, Said

REPOSITORY = "example/model"
REVISION = "0123456789abcdef0123456789abcdef01234567"
_LARGE = 1024
"""From how many bytes on this hub keeps a file outside of git."""


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@dataclass
class Hub:
    """A repository with one revision."""

    files: dict[str, bytes]
    page: int = 1000
    token: str | None = None
    """The token without which it is gated."""
    elsewhere: str | None = None
    """The address of the server that has the files, if it is another one."""
    wrong: set[str] = field(default_factory=set)
    """Files that are not what the list says."""
    next: list[Callable[[Asked], Said | None]] = field(default_factory=list)
    """What is answered first; None: what comes next or is right."""

    def answer(self, asked: Asked) -> Said:
        while self.next:
            if said := self.next.pop(0)(asked):
                return said
        path, _, query = asked.path.partition("?")
        if path.startswith(f"/api/models/{REPOSITORY}/tree/"):
            return self._list(asked, path, urllib.parse.parse_qs(query))
        found = re.fullmatch(rf"/{REPOSITORY}/resolve/([^/]+)/(.+)", path)
        if found and found[1] == REVISION:
            return self._resolve(asked, urllib.parse.unquote(found[2]))
        return Said(404, headers={"X-Error-Code": "EntryNotFound"})

    def _list(self, asked: Asked, path: str, query: dict[str, list[str]]) -> Said:
        if not path.endswith(f"/{REVISION}"):
            return Said(404, headers={"X-Error-Code": "RevisionNotFound", "X-Error-Message": "Invalid rev id"})
        begin = int(query.get("cursor", ["0"])[0])
        entries: list[dict[str, object]] = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": "folder"}]
        entries += [self._entry(*each) for each in sorted(self.files.items())]
        headers = {"Content-Type": "application/json"}
        if begin + self.page < len(entries):
            address = f"http://{asked.headers['Host']}{path}?recursive=true&cursor={begin + self.page}"
            headers["Link"] = f'<{address}>; rel="next"'
        return Said(body=json.dumps(entries[begin : begin + self.page]).encode(), headers=headers)

    def _entry(self, path: str, content: bytes) -> dict[str, object]:
        entry: dict[str, object] = {"type": "file", "oid": git_hash(content), "size": len(content), "path": path}
        if len(content) >= _LARGE:
            sha256 = hashlib.sha256(content).hexdigest()
            entry |= {"oid": "f" * 40, "lfs": {"oid": sha256, "size": len(content), "pointerSize": 134}}
        return entry

    def _resolve(self, asked: Asked, path: str) -> Said:
        if self.token and asked.headers.get("Authorization") != f"Bearer {self.token}":
            status = 403 if "Authorization" in asked.headers else 401
            message = f"Access to model {REPOSITORY} is restricted"
            return Said(status, headers={"X-Error-Code": "GatedRepo", "X-Error-Message": message})
        if self.elsewhere:
            return Said(302, headers={"Location": f"{self.elsewhere}/{urllib.parse.quote(path)}?signature=x"})
        return self.content(asked, path)

    def content(self, asked: Asked, path: str) -> Said:
        content = self.files[path]
        if path in self.wrong:
            content = content[:-1] + bytes([content[-1] ^ 1])
        begin = int(asked.headers.get("Range", "bytes=0-")[6:-1])
        if not begin:
            return Said(body=content)
        place = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        return Said(206, content[begin:], {"Content-Range": place})
