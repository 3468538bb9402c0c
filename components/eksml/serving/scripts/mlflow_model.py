"""Fetches one version of a registered model of MLflow into a folder, through MLflow itself.

An alias is looked up first. Of the version's artifacts, the folder with the model is found by a file that marks it. It
gets to the target, or, for engines that read a model repository, to TARGET/FOLDER/VERSION. Each file has the size that
MLflow says, or the run ends.

It needs no more than Python's standard library and 128 MiB of memory; no rights in AWS. MLflow's address is
MLFLOW_TRACKING_URI; its user MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, where it has users. The password is
never printed, nor sent to another host.
"""

from __future__ import annotations

import argparse
import base64
import errno
import fnmatch
import http.client
import json
import os
import posixpath
import shutil
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

API = "/api/2.0/mlflow"
ARTIFACTS_API = "/api/2.0/mlflow-artifacts/artifacts"
PROXIED = "mlflow-artifacts"
NEVER_WORTH_ANOTHER_TRY = 2
"""The exit code for what only a person can change."""

WORKERS = 4
MOST_TRIES = 6
SECONDS_TO_ANSWER = 60
LONGEST_PAUSE_SECONDS = 30
CHUNK_BYTES = 1024**2
LONGEST_MESSAGE = 10_000
NOT_WRITTEN = {errno.EACCES, errno.EDQUOT, errno.ENOSPC, errno.EROFS}


class FailureError(Exception):
    """What ends the run, in words for people."""

    def __init__(self, text: str, exit_code: int = NEVER_WORTH_ANOTHER_TRY):
        super().__init__(text)
        self.exit_code = exit_code


class File(NamedTuple):
    """A file of a model version."""

    path: str
    """From the artifacts of the version on."""
    size: int


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows nobody to another address, who would get the password too."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


class Mlflow:
    """MLflow's own server, as far as it is asked here."""

    def __init__(self, url: str, user: str | None, password: str | None):
        self.url = url.rstrip("/")
        self._open = urllib.request.build_opener(_NoRedirects).open
        self._headers: dict[str, str] = {}
        if user and password:
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            self._headers = {"Authorization": f"Basic {token}"}

    def version_of_alias(self, model: str, alias: str) -> int:
        """The version that an alias means now."""
        what = f"alias {alias} of the registered model {model}"
        answer = self._ask(f"{API}/registered-models/alias", what, name=model, alias=alias)
        return int(answer["model_version"]["version"])

    def artifacts_of(self, model: str, version: int) -> str:
        """The path below which MLflow gives the artifacts of a version."""
        what = f"version {version} of the registered model {model}"
        answer = self._ask(f"{API}/model-versions/get-download-uri", what, name=model, version=version)
        uri = self._resolved(answer["artifact_uri"])
        address = urllib.parse.urlsplit(uri)
        if address.scheme != PROXIED:
            text = f"the artifacts of {what} are at {uri}, which MLflow does not give out itself"
            raise FailureError(f"{text}: register it from an experiment whose artifacts are at {PROXIED}:")
        return address.path.strip("/")

    def _resolved(self, uri: str) -> str:
        """Where the artifacts of a run, or of a model that was logged, are: some versions name no more than that."""
        scheme, _, place = uri.partition(":/")
        name, _, below = place.strip("/").partition("/")
        if scheme == "runs":
            run = self._ask(f"{API}/runs/get", f"the run {name}", run_id=name)["run"]
            return posixpath.join(run["info"]["artifact_uri"], below)
        if scheme == "models" and name.startswith("m-"):
            logged = self._ask(f"{API}/logged-models/{urllib.parse.quote(name)}", f"the logged model {name}")["model"]
            return posixpath.join(logged["info"]["artifact_uri"], below)
        return uri

    def files_below(self, root: str, folder: str = "") -> Iterator[File]:
        """Every file below a path, by its way from there."""
        path = posixpath.join(root, folder)
        for entry in self._ask(ARTIFACTS_API, f"the artifacts at {path}", path=path).get("files", ()):
            name = entry["path"]
            if name in ("", ".", "..") or "/" in name or "\0" in name:
                raise FailureError(f"the artifacts at {path} have a file {name!r}, which is no name")
            below = posixpath.join(folder, name)
            if entry.get("is_dir"):
                yield from self.files_below(root, below)
            else:
                yield File(below, int(entry.get("file_size", 0)))

    def fetch(self, root: str, file: File, target: Path) -> None:
        """One file, whole."""
        target.parent.mkdir(parents=True, exist_ok=True)
        path = f"{ARTIFACTS_API}/{urllib.parse.quote(posixpath.join(root, file.path))}"

        def write(answer: http.client.HTTPResponse) -> None:
            with target.open("wb") as written:
                shutil.copyfileobj(answer, written, CHUNK_BYTES)
            if (size := target.stat().st_size) != file.size:
                raise http.client.IncompleteRead(b"", file.size - size)

        self._try(path, f"the artifact {file.path}", write)

    def _ask(self, address: str, what: str, /, **query: Any) -> dict[str, Any]:
        return self._try(f"{address}?{urllib.parse.urlencode(query)}", what, json.load)

    def _try(self, path: str, what: str, use: Any) -> Any:
        for number in range(1, MOST_TRIES + 1):
            try:
                request = urllib.request.Request(self.url + path, headers=self._headers)  # noqa: S310
                with self._open(request, timeout=SECONDS_TO_ANSWER) as answer:
                    return use(answer)
            except urllib.error.HTTPError as error:
                problem = _of_status(error, what, has_user=bool(self._headers))
            except (OSError, http.client.HTTPException, ValueError) as error:
                if isinstance(error, OSError) and error.errno in NOT_WRITTEN:
                    raise FailureError(f"{what} cannot be written: {error.strerror}") from None
                problem = f"{what} did not come whole from {self.url}: {error}"
            if number < MOST_TRIES:
                pause = min(2**number, LONGEST_PAUSE_SECONDS)
                say(f"{problem}; again in {pause} s")
                time.sleep(pause)
        raise FailureError(problem, exit_code=1)


def _of_status(error: urllib.error.HTTPError, what: str, *, has_user: bool) -> str:
    """What an error of MLflow means, where another try may help; else it ends the run."""
    if error.code == http.client.NOT_FOUND:
        raise FailureError(f"MLflow has no {what}: set it there, or name another one")
    if error.code in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
        if has_user:
            raise FailureError(f"MLflow does not let the user {os.environ['MLFLOW_TRACKING_USERNAME']} read {what}")
        text = f"MLflow lets nobody without a user read {what}"
        raise FailureError(f"{text}: the Secret mlflow of the namespace has to have username and password")
    if error.code < http.client.INTERNAL_SERVER_ERROR and error.code != http.client.TOO_MANY_REQUESTS:
        raise FailureError(f"MLflow refuses {what}: {_message(error)}")
    return f"MLflow answers {error.code} {error.reason} for {what}"


def _message(error: urllib.error.HTTPError) -> str:
    """What MLflow itself says: of an alias that is not there, that the request is a bad one."""
    try:
        return str(json.loads(error.read(LONGEST_MESSAGE))["message"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return f"{error.code} {error.reason}"


def folder_of(files: list[File], marks: list[str]) -> str:
    """The folder with the model: that of a file which fits the first pattern that any file fits, the uppermost."""
    for mark in marks:
        found = [each.path for each in files if fnmatch.fnmatchcase(posixpath.basename(each.path), mark)]
        if not found:
            continue
        least = min(path.count("/") for path in found)
        folders = sorted({posixpath.dirname(path) for path in found if path.count("/") == least})
        if len(folders) > 1:
            raise FailureError(f"the version has {mark} in several folders: {', '.join(folders)}; register one of them")
        return folders[0]
    has = ", ".join(sorted(each.path for each in files)[:10]) or "nothing"
    raise FailureError(f"the version has no {' or '.join(marks)}, by which this engine finds a model; it has {has}")


def chosen(files: list[File], folder: str, beside: list[str]) -> dict[str, File]:
    """What is fetched, by where it goes: the files of the model's folder, and those that belong beside them."""
    wanted = {}
    for file in files:
        place = posixpath.dirname(file.path)
        if any(fnmatch.fnmatchcase(place, pattern) for pattern in beside):
            wanted[posixpath.basename(file.path)] = file
    below = f"{folder}/" if folder else ""
    own = {file.path.removeprefix(below): file for file in files if file.path.startswith(below)}
    return {**wanted, **own}


def run(arguments: argparse.Namespace, mlflow: Mlflow) -> None:
    """Fetches the model."""
    version, name = arguments.version, arguments.model
    if version is None:
        version = mlflow.version_of_alias(name, arguments.alias)
    say(f"{name} is version {version}" + (f", alias {arguments.alias}" if arguments.alias else ""))
    root = mlflow.artifacts_of(name, version)
    files = list(mlflow.files_below(root))
    wanted = chosen(files, folder_of(files, arguments.mark), arguments.beside)
    target = Path(arguments.target)
    # A container that starts again in its pod finds what it fetched before.
    for old in target.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    if arguments.folder:
        target = target / arguments.folder / str(version)
    began = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as pool:
        tasks = [pool.submit(mlflow.fetch, root, file, target / place) for place, file in wanted.items()]
        for task in tasks:
            try:
                task.result()
            except FailureError:
                pool.shutdown(cancel_futures=True)
                raise
    size = sum(each.size for each in wanted.values())
    say(f"{len(wanted)} files, {size / 1e6:,.1f} MB in {time.monotonic() - began:.0f} s")


def say(text: str) -> None:
    """A line for the log of the pod."""
    print(text, flush=True)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="the registered model")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--alias", help="the alias of the version")
    which.add_argument("--version", type=int, help="the version")
    parser.add_argument("--target", required=True, help="the folder, whose content is replaced")
    parser.add_argument("--mark", action="append", required=True, help="pattern of a file in the model's folder")
    parser.add_argument("--folder", help="the folder of a model repository in which the version gets one of its own")
    parser.add_argument("--beside", action="append", default=[], help="pattern of folders whose files belong beside it")
    return parser.parse_args(words)


def main() -> int:
    """Runs once."""
    user, password = (os.environ.get(f"MLFLOW_TRACKING_{key}") for key in ("USERNAME", "PASSWORD"))
    try:
        run(parse(), Mlflow(os.environ["MLFLOW_TRACKING_URI"], user, password))
    except FailureError as error:
        print(error, file=sys.stderr, flush=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
