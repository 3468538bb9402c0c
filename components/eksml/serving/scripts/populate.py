"""Fills a prefix of a bucket with one revision of a model of the Hugging Face hub, once.

Every file is streamed from the hub to S3 and checked on its way against the hash that the hub lists; it appears in the
bucket only if it is right. A manifest comes last: it says that all is there, and a second run ends at once. A run that
was interrupted goes on with the files that are missing.

It needs boto3 besides Python's standard library, no disk, and for each of its eight workers 64 MiB of memory. In AWS it
needs `s3:ListBucket` on the bucket, and below the prefix `s3:GetObject`, `s3:PutObject` and `s3:AbortMultipartUpload`;
with a KMS key, `kms:GenerateDataKey` and `kms:Decrypt` too. The hub's token is taken from HF_TOKEN and never printed.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import http.client
import json
import os
import re
import signal
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import boto3
import botocore.config
import botocore.exceptions

MANIFEST = "eksml-manifest.json"
HUB = "https://huggingface.co"
NEVER_WORTH_ANOTHER_TRY = 2
"""The exit code for what only a person can change."""

WORKERS = 8
SECONDS_TO_ANSWER = 60
MOST_TRIES = 8
LONGEST_PAUSE_SECONDS = 300
REPORT_EVERY_SECONDS = 15
CHUNK_BYTES = 1024**2
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
PART_BYTES = 32 * 1024**2
MOST_PARTS = 10_000

# What Python unpickles when it loads it, which runs whatever code is in it.
PICKLES = {".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth"}
# The same weights once more, for others than those who read safetensors.
OTHER_WEIGHTS = {".gguf", ".h5", ".mlmodel", ".mlpackage", ".msgpack", ".onnx", ".onnx_data", ".ot", ".tflite"}


class FailureError(Exception):
    """What ends the run, in words for people."""

    def __init__(self, text: str, exit_code: int = NEVER_WORTH_ANOTHER_TRY):
        super().__init__(text)
        self.exit_code = exit_code


class InterruptedRunError(Exception):
    """Somebody asked the run to end."""


class File(NamedTuple):
    """A file of a repository, as the hub lists it."""

    path: str
    size: int
    sha256: str | None
    """Of files that the hub keeps outside of git, which is all large ones."""
    git_hash: str
    """Of the others: that of git, SHA-1 over a header and the content."""

    @property
    def name(self) -> str:
        """What is compared with the object in the bucket."""
        return self.sha256 or self.git_hash


class Selection(NamedTuple):
    """Which files of a repository are wanted."""

    allow: list[str]
    ignore: list[str]
    pickles: bool

    def choose(self, files: list[File]) -> list[File]:
        """The files that are wanted, safetensors before weights in any other form."""
        kept = [each for each in files if not any(fnmatch.fnmatchcase(each.path, one) for one in self.ignore)]
        if self.allow:
            kept = [each for each in kept if any(fnmatch.fnmatchcase(each.path, one) for one in self.allow)]
        elif any(each.path.endswith(".safetensors") for each in kept):
            twice = {each.path for each in kept if _suffix(each) in OTHER_WEIGHTS} | _pickles(kept)
            kept = [each for each in kept if each.path not in twice]
        pickles = _pickles(kept)
        if pickles and not self.pickles:
            if max(kept, key=lambda each: each.size).path in pickles:
                text = "the weights are pickles, which may hold code that runs when they are loaded"
                raise FailureError(f"{text}: {_some(pickles)}: set pickles to take them, or ignore them")
            kept = [each for each in kept if each.path not in pickles]
        if not kept:
            raise FailureError(f"nothing of the repository's {len(files)} files is left by allow and ignore")
        return kept


def _suffix(file: File) -> str:
    return PurePosixPath(file.path).suffix.lower()


def _pickles(files: Iterable[File]) -> set[str]:
    """Paths of files that are pickles by their ending; beside an .xml of its name, a .bin is OpenVINO's."""
    paths = {each.path for each in files}
    found = {path for path in paths if PurePosixPath(path).suffix.lower() in PICKLES}
    return {path for path in found if str(PurePosixPath(path).with_suffix(".xml")) not in paths}


def _some(paths: Iterable[str]) -> str:
    ordered = sorted(paths)
    return ", ".join(ordered[:3]) + (f" and {len(ordered) - 3} more" if len(ordered) > 3 else "")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but shows the token to no other host: the hub sends on to where the files lie."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request and _host(newurl) != _host(req.full_url):
            request.remove_header("Authorization")
        return request


def _host(url: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc


class Hub:
    """One revision of one repository on the hub."""

    def __init__(
        self,
        address: str,
        repository: str,
        revision: str,
        token: str | None,
        stopping: threading.Event,
        pause_seconds: float,
    ):
        self._address = address.rstrip("/")
        self._repository = repository
        self._revision = revision
        self._token = token
        self._stopping = stopping
        self._pause_seconds = pause_seconds
        self._opener = urllib.request.build_opener(_Redirects)

    def files(self) -> list[File]:
        """All files of the revision."""
        url: str | None = f"{self._address}/api/models/{self._repository}/tree/{self._revision}?recursive=true"
        found = []
        while url:
            entries, url = self._page(url)
            for entry in entries:
                if entry["type"] == "file":
                    large = entry.get("lfs") or {}
                    size, sha256 = large.get("size", entry["size"]), large.get("oid")
                    found.append(File(entry["path"], size, sha256, entry["oid"]))
        return found

    def read(self, file: File) -> Iterator[bytes]:
        """The content of a file, from where it broke off if it does."""
        url = f"{self._address}/{self._repository}/resolve/{self._revision}/{urllib.parse.quote(file.path)}"
        done, tries = 0, 0
        while done < file.size:
            before = done
            try:
                with self._open(url, done) as response:
                    if done and response.status != http.HTTPStatus.PARTIAL_CONTENT:
                        self._skip(response, done)
                    while chunk := response.read(CHUNK_BYTES):
                        self._go_on()
                        done += len(chunk)
                        yield chunk
            except (OSError, http.client.HTTPException) as error:
                print(f"{file.path}: {error!r}", flush=True)
            # To Python a connection that ends too soon is no error where it is read in pieces.
            tries = 0 if done > before else tries + 1
            if done < file.size and tries:
                self._pause(tries, f"{file.path} broke off at {done} of {file.size} bytes")

    def _skip(self, response: Any, count: int) -> None:
        while count:
            skipped = len(response.read(min(count, CHUNK_BYTES)))
            if not skipped:
                return
            count -= skipped

    def _page(self, url: str) -> tuple[list[dict[str, Any]], str | None]:
        tries = 0
        while True:
            try:
                with self._open(url) as response:
                    following = re.search(r'<([^>]+)>\s*;\s*rel="next"', response.headers.get("Link", ""))
                    return json.loads(response.read()), following[1] if following else None
            except (ConnectionError, TimeoutError, http.client.HTTPException, ValueError) as error:
                tries += 1
                self._pause(tries, f"the list of files broke off: {error!r}")

    def _open(self, url: str, offset: int = 0) -> Any:
        tries = 0
        while True:
            self._go_on()
            request = urllib.request.Request(url, headers={"User-Agent": "eksml"})  # noqa: S310
            if self._token:
                request.add_header("Authorization", f"Bearer {self._token}")
            if offset:
                request.add_header("Range", f"bytes={offset}-")
            tries += 1
            try:
                return self._opener.open(request, timeout=SECONDS_TO_ANSWER)
            except urllib.error.HTTPError as error:
                with error:
                    if error.code != 429 and error.code < 500:
                        raise self._failure(error) from None
                    self._pause(tries, f"the hub answered HTTP {error.code}", _seconds_to_wait(error.headers))
            except (OSError, http.client.HTTPException) as error:
                self._pause(tries, f"the hub does not answer: {_reason(error)}")

    def _failure(self, error: urllib.error.HTTPError) -> FailureError:
        kind, said = error.headers.get("X-Error-Code"), error.headers.get("X-Error-Message") or error.reason
        page = f"{self._address}/{self._repository}"
        if kind == "GatedRepo":
            if not self._token:
                text = f"{self._repository} is gated, and no token is given: accept its licence at {page}"
                return FailureError(f"{text}, and give a token of the account that did")
            text = f"{self._repository} is gated, and the account of the token may not read it: accept its licence at"
            return FailureError(f"{text} {page} with that account; a fine-grained token must allow gated repositories")
        if kind == "RevisionNotFound":
            return FailureError(f"{self._repository} has no revision {self._revision}")
        if kind == "RepoNotFound" or error.code in (401, 404):
            who = "the account of the token may not read it" if self._token else "it is private, and no token is given"
            text = f"there is no {self._repository} on {self._address}, or {who}"
            return FailureError(f"{text}, or the token is wrong" if self._token else text)
        return FailureError(f"the hub refuses {self._repository}: HTTP {error.code}: {said}")

    def _pause(self, tries: int, reason: str, seconds: float | None = None) -> None:
        if tries >= MOST_TRIES:
            raise FailureError(f"{reason}; given up after {tries} tries", exit_code=1)
        pause = min(seconds or self._pause_seconds * 2**tries, LONGEST_PAUSE_SECONDS)
        print(f"{reason}; again in {pause:.0f} s", flush=True)
        self._stopping.wait(pause)
        self._go_on()

    def _go_on(self) -> None:
        if self._stopping.is_set():
            raise InterruptedRunError


def _seconds_to_wait(headers: Any) -> float | None:
    """What the hub asks for: https://huggingface.co/docs/hub/rate-limits."""
    found = re.search(r"\bt=(\d+)", headers.get("RateLimit", ""))
    asked = found[1] if found else headers.get("Retry-After", "")
    return float(asked) + 1 if asked.isdigit() else None


def _reason(error: Exception) -> str:
    return repr(error.reason if isinstance(error, urllib.error.URLError) else error)


class Bucket:
    """The prefix of a bucket that the model goes to."""

    def __init__(self, name: str, prefix: str, region: str | None):
        settings = botocore.config.Config(
            connect_timeout=10,
            read_timeout=SECONDS_TO_ANSWER,
            retries={"mode": "standard", "total_max_attempts": MOST_TRIES},
            max_pool_connections=2 * WORKERS,
        )
        self._client = boto3.client("s3", region_name=region, config=settings)
        self._name = name
        self._prefix = prefix

    def manifest(self) -> dict[str, Any] | None:
        """What an earlier run wrote last, if one came that far."""
        try:
            answer = self._client.get_object(Bucket=self._name, Key=self._prefix + MANIFEST)
            return json.loads(answer["Body"].read())
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise

    def sizes(self) -> dict[str, int]:
        """The size of every object below the prefix, by the rest of its key."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=self._prefix)
        objects = (each for page in pages for each in page.get("Contents", ()))
        return {each["Key"].removeprefix(self._prefix): each["Size"] for each in objects}

    def sha256_of(self, file: File) -> str | None:
        """The hash of a file that is there already; None: it is not, or it is another one."""
        known = self._client.head_object(Bucket=self._name, Key=self._prefix + file.path)
        notes = known["Metadata"]
        return notes.get("sha256") if notes.get("hub-hash") == file.name else None

    def put(self, path: str, content: bytes, notes: dict[str, str]) -> None:
        """Writes a small object."""
        self._client.put_object(Bucket=self._name, Key=self._prefix + path, Body=content, Metadata=notes)

    def stream(self, path: str, parts: Iterable[bytes | bytearray], notes: dict[str, str]) -> None:
        """Writes a large object, which is there once the last part is, and not at all if the parts raise an error."""
        where = {"Bucket": self._name, "Key": self._prefix + path}
        upload = self._client.create_multipart_upload(**where, Metadata=notes, ChecksumAlgorithm="CRC32")["UploadId"]
        try:
            done = []
            for number, part in enumerate(parts, start=1):
                answer = self._client.upload_part(
                    **where, UploadId=upload, PartNumber=number, Body=part, ChecksumAlgorithm="CRC32"
                )
                done.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": answer["ChecksumCRC32"]})
            self._client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": done})
        except BaseException:
            # Its parts would be paid for until the bucket's rule for unfinished uploads takes them away.
            self._client.abort_multipart_upload(**where, UploadId=upload)
            raise


class Progress:
    """How much is done, and how fast."""

    def __init__(self, files: list[File]):
        self._total = sum(each.size for each in files)
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._read = 0
        self._there = 0

    def add(self, count: int) -> None:
        """Bytes that were read."""
        with self._lock:
            self._read += count

    def skip(self, count: int) -> None:
        """Bytes that were there already."""
        with self._lock:
            self._there += count

    def print(self) -> None:
        """A line for people."""
        done, seconds = self._read + self._there, max(time.monotonic() - self._began, 0.001)
        rate = f"{self._read / seconds / 1e6:.0f} MB/s"
        print(f"{done / 1e9:.2f} of {self._total / 1e9:.2f} GB, {rate}", flush=True)


class Check:
    """The hashes of a file, made while it passes."""

    def __init__(self, file: File):
        self._file = file
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._git = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)

    def watch(self, chunks: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
        """Passes the content on, and raises an error at its end if it is not what the hub lists."""
        for chunk in chunks:
            self._size += len(chunk)
            self._sha256.update(chunk)
            if not self._file.sha256:
                self._git.update(chunk)
            progress.add(len(chunk))
            yield chunk
        name = self.sha256 if self._file.sha256 else self._git.hexdigest()
        if name != self._file.name or self._size != self._file.size:
            lists = f"the hub lists {self._file.name} ({self._file.size} bytes)"
            raise FailureError(f"{self._file.path} is {name} ({self._size} bytes), {lists}: nothing of it is kept")

    @property
    def sha256(self) -> str:
        """Of what has passed."""
        return self._sha256.hexdigest()


def parts_of(chunks: Iterable[bytes], size: int) -> Iterator[bytearray]:
    """The same content in parts of at least one size, but for the last."""
    part = bytearray()
    for chunk in chunks:
        part += chunk
        if len(part) >= size:
            yield part
            part = bytearray()
    if part:
        yield part


def copy(hub: Hub, bucket: Bucket, file: File, progress: Progress) -> str:
    """Brings one file into the bucket; its hash, as SHA-256."""
    check = Check(file)
    chunks = check.watch(hub.read(file), progress)
    if file.size <= PART_BYTES:
        content = b"".join(chunks)
        bucket.put(file.path, content, {"hub-hash": file.name, "sha256": check.sha256})
    elif file.sha256:
        size = max(PART_BYTES, -(-file.size // MOST_PARTS))
        bucket.stream(file.path, parts_of(chunks, size), {"hub-hash": file.name, "sha256": file.sha256})
    else:
        raise FailureError(f"{file.path} has {file.size} bytes, and the hub lists no SHA-256 of it")
    return check.sha256


def populate(hub: Hub, bucket: Bucket, source: dict[str, Any], selection: Selection, stopping: threading.Event) -> None:
    """Fills the prefix, unless it is full."""
    there, manifest = bucket.sizes(), bucket.manifest()
    if manifest and _is_full(manifest, source, there):
        print(f"all {len(manifest['files'])} files are there already", flush=True)
        return
    files = selection.choose(hub.files())
    progress = Progress(files)

    def bring(file: File) -> dict[str, Any]:
        sha256 = bucket.sha256_of(file) if there.get(file.path) == file.size else None
        if sha256:
            progress.skip(file.size)
        else:
            sha256 = copy(hub, bucket, file, progress)
        return {"path": file.path, "size": file.size, "sha256": sha256}

    print(f"{len(files)} files of {source['repository']} at {source['revision']}", flush=True)
    with ThreadPoolExecutor(WORKERS) as workers:
        # The largest first, so that none is alone at the end.
        brought = [workers.submit(bring, file) for file in sorted(files, key=lambda each: -each.size)]
        _await(brought, progress, stopping)
    listed = sorted((future.result() for future in brought), key=lambda each: each["path"])
    content = json.dumps({**source, "files": listed}, indent=2, ensure_ascii=False)
    bucket.put(MANIFEST, content.encode(), {})
    progress.print()


def _is_full(manifest: dict[str, Any], source: dict[str, Any], there: dict[str, int]) -> bool:
    """Whether all that is wanted is there; raises an error if something else is."""
    held, wanted = ([each.get(key) for key in ("repository", "revision")] for each in (manifest, source))
    if held != wanted:
        # Servers load whatever lies there: shards of two revisions would be mixed.
        raise FailureError(f"the prefix holds {held[0]} at {held[1]}: give {wanted[0]} at {wanted[1]} another one")
    is_same = manifest.get("selection") == source["selection"]
    return is_same and all(there.get(each["path"]) == each["size"] for each in manifest["files"])


def _await(brought: list[Future[dict[str, Any]]], progress: Progress, stopping: threading.Event) -> None:
    """Waits for all, and has all end if one fails."""
    pending: set[Future[dict[str, Any]]] = set(brought)
    try:
        reported = time.monotonic()
        while pending:
            done, pending = wait(pending, timeout=1, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
            if time.monotonic() - reported >= REPORT_EVERY_SECONDS:
                progress.print()
                reported = time.monotonic()
    except BaseException:
        stopping.set()
        for future in pending:
            future.cancel()
        raise


def explained(error: botocore.exceptions.ClientError, bucket: str, prefix: str) -> FailureError:
    """What S3 refused, and what would help."""
    kind = error.response["Error"]["Code"]
    where = f"s3://{bucket}/{prefix}"
    if kind in ("AccessDenied", "403", "Forbidden"):
        rights = "s3:ListBucket, s3:GetObject, s3:PutObject and s3:AbortMultipartUpload"
        return FailureError(f"the pod's service account may not {error.operation_name} at {where}: it needs {rights}")
    if kind == "NoSuchBucket":
        return FailureError(f"there is no bucket {bucket}")
    return FailureError(f"S3 refuses {error.operation_name} at {where}: {error}", exit_code=1)


def arguments() -> argparse.Namespace:
    """What the container is started with."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", required=True, help="ORGANISATION/MODEL on the hub")
    parser.add_argument("--revision", required=True, help="the whole hash of a commit")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--prefix", default="", help="the beginning of the objects' keys, ending with /")
    parser.add_argument("--region", help="the bucket's AWS region")
    parser.add_argument("--allow", action="append", default=[], help="a pattern of paths; given, no others are taken")
    parser.add_argument("--ignore", action="append", default=[], help="a pattern of paths that are not taken")
    parser.add_argument("--pickles", action="store_true", help="take files that may run code when they are loaded")
    parser.add_argument("--hub", default=HUB, help="the hub's address")
    parser.add_argument("--pause-seconds", type=float, default=1, help="half of the first pause after a failure")
    given = parser.parse_args()
    if not re.fullmatch(r"[0-9a-f]{40}", given.revision):
        parser.error("--revision must be the whole hash of a commit, 40 hexadecimal digits: a branch or a tag may move")
    return given


def main() -> int:
    """Fills the prefix; the exit code says whether another try is worth while."""
    given, stopping = arguments(), threading.Event()

    def stop(*_: object) -> None:
        stopping.set()
        raise InterruptedRunError

    signal.signal(signal.SIGTERM, stop)
    hub = Hub(
        given.hub,
        given.repository,
        given.revision,
        os.environ.get("HF_TOKEN", "").strip() or None,
        stopping,
        given.pause_seconds,
    )
    selection = Selection(sorted(given.allow), sorted(given.ignore), given.pickles)
    source = {"repository": given.repository, "revision": given.revision, "selection": selection._asdict()}
    try:
        populate(hub, Bucket(given.bucket, given.prefix, given.region), source, selection, stopping)
    except InterruptedRunError:
        print("interrupted: the next run goes on with the files that are missing", flush=True)
        return 128 + signal.SIGTERM
    except FailureError as failure:
        print(f"error: {failure}", file=sys.stderr, flush=True)
        return failure.exit_code
    except botocore.exceptions.ClientError as error:
        failure = explained(error, given.bucket, given.prefix)
        print(f"error: {failure}", file=sys.stderr, flush=True)
        return failure.exit_code
    except botocore.exceptions.BotoCoreError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
