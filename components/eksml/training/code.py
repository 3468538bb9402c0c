"""Where the code of a job comes from: files of one's own, a git revision, or the image."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from eksml import names
from eksml.catalog import images
from eksml.errors import Problem
from eksml.secret_key import SecretKey
from eksml.spec import RelativePath, Spec, pattern

CODE_DIRECTORY = "/code"
_LARGEST_CONFIG_MAP = 1024 * 1024
_FileName = Annotated[str, pattern(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", "a file name: letters, digits and ._-")]


class ConfigMapCode(Spec):
    """Files that the job gets through a ConfigMap: for scripts that belong to the program."""

    kind: Literal["configMap"] = "configMap"
    files: Annotated[dict[_FileName, str], Field(min_length=1)]
    """The text of each file by its name; all of them lie in one folder."""

    def rules(self) -> Iterator[Problem]:
        """A ConfigMap holds them all."""
        size = sum(len(text.encode()) for text in self.files.values())
        if size > _LARGEST_CONFIG_MAP:
            yield Problem(("files",), f"{size} bytes given, must be at most {_LARGEST_CONFIG_MAP}: take kind: git")


class GitCode(Spec):
    """One revision of a git repository, fetched when a pod starts."""

    kind: Literal["git"] = "git"
    repository: Annotated[
        str, pattern(r"^https://[^\s@]+$", "an address like https://github.com/example/code, without a password")
    ]
    """Address of the repository, https://…"""
    revision: Annotated[str, pattern(r"^[0-9a-f]{40}$", "the whole hash of a commit: 40 hexadecimal digits")]
    """The whole hash of a commit, 40 hexadecimal digits: a branch or a tag may move."""
    directory: RelativePath | None = None
    """The folder in the repository that the script lies in; none given: its root."""
    token: SecretKey | None = None
    """Where a token is that may read the repository, in the team's namespace; none given: anyone may read it."""


class ImageCode(Spec):
    """Code that the image holds already."""

    kind: Literal["image"] = "image"
    directory: Annotated[str, pattern(r"^/", "a path that begins with /")] = "/app"
    """The folder in the image that the script lies in."""


Code = Annotated[ConfigMapCode | GitCode | ImageCode, Field(discriminator="kind")]


def files_of(*paths: str | Path) -> ConfigMapCode:
    """The code of files on this machine, each under its own name."""
    return ConfigMapCode(files={Path(path).name: Path(path).read_text(encoding="utf-8") for path in paths})


def directory_of(code: ConfigMapCode | GitCode | ImageCode) -> str:
    """The folder that a job starts in."""
    if isinstance(code, ImageCode):
        return code.directory
    return f"{CODE_DIRECTORY}/{code.directory}" if isinstance(code, GitCode) and code.directory else CODE_DIRECTORY


def config_map_name(job: str, code: ConfigMapCode) -> str:
    """The name of a job's ConfigMap: another one for other files, so that a job which names it is another job too."""
    return f"{job}-code-{names.short_hash(json.dumps(code.files, sort_keys=True))}"


def code_volume(code: ConfigMapCode | GitCode | ImageCode, job: str) -> dict[str, Any] | None:
    """The volume that holds the code, unless the image does."""
    if isinstance(code, ConfigMapCode):
        return {"name": "code", "configMap": {"name": config_map_name(job, code)}}
    return {"name": "code", "emptyDir": {"sizeLimit": "5Gi"}} if isinstance(code, GitCode) else None


def _git_environment(code: GitCode) -> list[dict[str, Any]]:
    # The volume belongs to root, and git wants to be told that this is meant.
    settings = {"safe.directory": CODE_DIRECTORY}
    if code.token:
        # git asks this for a name and a password, so that the token is in no address and no process list.
        settings["credential.helper"] = '!f() { echo username=x-access-token; echo "password=$GIT_TOKEN"; }; f'
    numbered = [
        {"name": f"GIT_CONFIG_{part}_{number}", "value": text}
        for number, setting in enumerate(settings.items())
        for part, text in zip(("KEY", "VALUE"), setting, strict=True)
    ]
    token = [{"name": "GIT_TOKEN", **code.token.as_value()}] if code.token else []
    return [{"name": "GIT_CONFIG_COUNT", "value": str(len(settings))}, *numbered, *token]


def fetch_container(code: GitCode, security_context: Mapping[str, Any]) -> dict[str, Any]:
    """The container that fetches a revision before the job starts."""
    commands = [
        ["git", "init", "--quiet", CODE_DIRECTORY],
        ["git", "-C", CODE_DIRECTORY, "fetch", "--quiet", "--depth=1", code.repository, code.revision],
        ["git", "-C", CODE_DIRECTORY, "checkout", "--quiet", code.revision],
    ]
    return {
        "name": "fetch-code",
        "image": images()["git"].reference,
        "command": ["sh", "-ec", "\n".join(shlex.join(command) for command in commands)],
        "env": _git_environment(code),
        "volumeMounts": [{"name": "code", "mountPath": CODE_DIRECTORY}],
        "resources": {
            "requests": {"cpu": "500m", "memory": "512Mi"},
            "limits": {"cpu": "500m", "memory": "512Mi"},
        },
        "securityContext": dict(security_context),
    }
