"""A model gets from the hub into the bucket once, and only what is right."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from moto.server import ThreadedMotoServer

import eksml
from eksml import names
from eksml.secret_key import SecretKey
from eksml.serving.pod_scripts import scripts_config_map
from eksml.serving.populate import BucketPrefix, HubModel, Populate, populate_annotations, populate_job
from eksml.serving.scripts import populate
from eksml.spec import parse
from refusals import check_problems, problems
from serving.hub import REPOSITORY, REVISION, Hub, git_hash
from serving.servers import Asked, Said, serving

pytestmark = pytest.mark.slow

SCRIPT = Path(eksml.__file__).parent / "serving" / "scripts" / "populate.py"
BUCKET, PREFIX = "models", "teams/chat/model/"
MANIFEST = "eksml-manifest.json"
SMALL = b'{"architectures": ["Any"]}'
MODEL = {"config.json": SMALL, "model.safetensors": bytes(range(256)) * 16, "tokenizer/vocab.txt": b"a\nb\n"}
TOKEN = "hf_" + "open-sesame"


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Bucket:
    """What lies below the prefix."""

    def __init__(self, address: str):
        self.address = address
        key = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        self.client = boto3.client("s3", endpoint_url=address, region_name="us-west-2", **key)
        where: Any = {"LocationConstraint": "us-west-2"}
        self.client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)

    def empty(self) -> None:
        for each in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
            self.client.delete_object(Bucket=BUCKET, Key=each["Key"])
        self.client.delete_bucket(Bucket=BUCKET)

    @property
    def objects(self) -> dict[str, bytes]:
        keys = [each["Key"] for each in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", ())]
        return {key.removeprefix(PREFIX): self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads(self.objects[MANIFEST])

    @property
    def unfinished(self) -> list[Any]:
        return self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])


@pytest.fixture
def bucket(s3_address: str) -> Iterator[Bucket]:
    made = Bucket(s3_address)
    yield made
    made.empty()


def command(*options: str, hub: str, revision: str = REVISION) -> list[str]:
    """The command of the Job's container, on servers of this machine."""
    job = populate_job(
        "chat",
        Populate(),
        HubModel(REPOSITORY, revision),
        BucketPrefix(BUCKET, PREFIX, "us-west-2"),
        scripts="scripts",
    )
    words = job.body["spec"]["template"]["spec"]["containers"][0]["command"][2:]
    return [sys.executable, str(SCRIPT), *words, "--hub", hub, "--pause-seconds", "0.01", *options]


def environment(bucket: Bucket, token: str | None) -> dict[str, str]:
    aws = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_ENDPOINT_URL_S3": bucket.address}
    return {**aws, "PYTHONUNBUFFERED": "1", **({"HF_TOKEN": token} if token else {})}


class Done(NamedTuple):
    """How a run ended, and what it asked the hub for."""

    code: Any
    out: str
    err: str
    asked: list[str]

    @property
    def fetched(self) -> list[str]:
        """The names of files."""
        return [path.rpartition("/")[2] for path in self.asked if "/resolve/" in path]


Run = Callable[..., Done]


@pytest.fixture
def run(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs the program to its end; in this process, for a new one would read boto3 first each time."""
    before = signal.getsignal(signal.SIGTERM)

    def run_once(hub: Hub, *options: str, token: str | None = None, revision: str = REVISION) -> Done:
        with serving(hub.answer) as server:
            words = command(*options, hub=f"http://127.0.0.1:{server.port}", revision=revision)
            monkeypatch.setattr(sys, "argv", words[1:])
            for name, value in environment(bucket, token).items():
                monkeypatch.setenv(name, value)
            try:
                code: Any = populate.main()
            except SystemExit as error:
                code = error.code
        out, err = capsys.readouterr()
        assert TOKEN not in out + err
        return Done(code, out, err, [each.path for each in server.asked])

    yield run_once
    signal.signal(signal.SIGTERM, before)


def test_all_files_are_brought_and_the_manifest_says_so(run: Run, bucket: Bucket) -> None:
    done = run(Hub(MODEL))
    assert done.code == 0, done.err
    assert {path: content for path, content in bucket.objects.items() if path != MANIFEST} == MODEL
    assert bucket.manifest == {
        "repository": REPOSITORY,
        "revision": REVISION,
        "selection": {"allow": [], "ignore": [], "pickles": False},
        "files": [
            {"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for path, content in sorted(MODEL.items())
        ],
    }
    assert "0.00 of 0.00 GB" in done.out


def test_a_second_run_asks_the_hub_for_nothing(run: Run) -> None:
    run(Hub(MODEL))
    done = run(Hub(MODEL))
    assert (done.code, done.asked) == (0, [])
    assert "all 3 files are there already" in done.out


def test_what_was_lost_from_the_bucket_comes_back(run: Run, bucket: Bucket) -> None:
    run(Hub(MODEL))
    bucket.client.delete_object(Bucket=BUCKET, Key=f"{PREFIX}config.json")
    done = run(Hub(MODEL))
    assert done.code == 0
    assert [path for path in done.asked if "/resolve/" in path] == [f"/{REPOSITORY}/resolve/{REVISION}/config.json"]
    assert bucket.objects["config.json"] == SMALL


def test_an_interrupted_run_goes_on_with_what_is_missing(run: Run, bucket: Bucket) -> None:
    hub = Hub({**MODEL, "slow.safetensors": b"slow" * 1000})
    waiting: list[Asked] = []

    def answer(asked: Asked) -> Said:
        if asked.path.endswith("/slow.safetensors"):
            waiting.append(asked)
            time.sleep(0.5)
            return Said(503)
        return hub.answer(asked)

    with serving(answer) as server:
        words = command(hub=f"http://127.0.0.1:{server.port}")
        process = subprocess.Popen(
            words,
            env={**os.environ, **environment(bucket, None)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not waiting or len(bucket.objects) < len(MODEL):
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM, err
    assert "interrupted: the next run goes on" in out
    assert MANIFEST not in bucket.objects
    done = run(hub)
    assert done.code == 0
    assert done.fetched == ["slow.safetensors"]
    assert len(bucket.manifest["files"]) == 4


@pytest.mark.parametrize("path", ["config.json", "model.safetensors"])
def test_a_wrong_hash_ends_the_run_and_leaves_nothing(run: Run, bucket: Bucket, path: str) -> None:
    done = run(Hub(MODEL, wrong={path}))
    assert done.code == 2
    expected = git_hash(MODEL[path]) if path == "config.json" else hashlib.sha256(MODEL[path]).hexdigest()
    assert f"error: {path} is " in done.err
    assert f"the hub lists {expected}" in done.err
    assert {path, MANIFEST} & set(bucket.objects) == set()


LARGE = {"model.safetensors": os.urandom(1024) * 70_000, "config.json": SMALL}


def test_a_large_file_goes_in_parts(run: Run, bucket: Bucket) -> None:
    done = run(Hub(LARGE))
    assert done.code == 0, done.err
    head = bucket.client.head_object(Bucket=BUCKET, Key=f"{PREFIX}model.safetensors")
    assert head["ETag"].endswith('-3"')
    assert bucket.objects["model.safetensors"] == LARGE["model.safetensors"]
    assert bucket.unfinished == []


def test_of_a_large_file_with_a_wrong_hash_no_part_is_left(run: Run, bucket: Bucket) -> None:
    done = run(Hub(LARGE, wrong={"model.safetensors"}))
    assert done.code == 2
    assert "model.safetensors" not in bucket.objects
    assert bucket.unfinished == []


def test_a_download_that_breaks_off_goes_on_where_it_was(run: Run, bucket: Bucket) -> None:
    hub = Hub(LARGE)
    ranges: list[str | None] = []

    def answer(asked: Asked) -> Said:
        said = hub.answer(asked)
        if asked.path.endswith("model.safetensors"):
            ranges.append(asked.headers.get("Range"))
            return said._replace(cut_after=30_000_000)
        return said

    with serving(answer) as server:
        words = command(hub=f"http://127.0.0.1:{server.port}")
        subprocess.run(words, env={**os.environ, **environment(bucket, None)}, check=True, timeout=60)
    assert ranges == [None, "bytes=30000000-", "bytes=60000000-"]
    assert bucket.objects["model.safetensors"] == LARGE["model.safetensors"]


def test_a_file_that_lies_elsewhere_is_fetched_without_the_token(run: Run) -> None:
    hub = Hub(MODEL, token=TOKEN)

    def content(asked: Asked) -> Said:
        return hub.content(asked, urllib.parse.unquote(asked.path.partition("?")[0][1:]))

    with serving(content) as elsewhere:
        hub.elsewhere = f"http://127.0.0.1:{elsewhere.port}"
        done = run(hub, token=f"{TOKEN}\n")
        assert done.code == 0, done.err
        assert len(elsewhere.asked) == len(MODEL)
        assert [each for each in elsewhere.asked if "Authorization" in each.headers] == []


def test_a_gated_model_without_a_token_names_the_place_of_its_licence(run: Run) -> None:
    done = run(Hub(MODEL, token=TOKEN))
    assert done.code == 2
    assert "example/model is gated, and no token is given: accept its licence at http://127.0.0.1" in done.err
    assert "/example/model, and give a token of the account that did" in done.err


def test_a_gated_model_with_a_token_of_somebody_else_says_what_to_do(run: Run) -> None:
    done = run(Hub(MODEL, token="hf_" + "other"), token=TOKEN)
    assert done.code == 2
    assert "is gated, and the account of the token may not read it: accept its licence at" in done.err


def test_a_revision_that_is_not_there_is_told(run: Run) -> None:
    done = run(Hub(MODEL), revision="f" * 40)
    assert done.code == 2
    assert done.err == f"error: example/model has no revision {'f' * 40}\n"


@pytest.mark.parametrize(
    ("status", "token", "text"),
    [
        (401, None, "there is no example/model on http://127.0.0.1"),
        (401, TOKEN, "or the account of the token may not read it, or the token is wrong"),
        (404, None, "or it is private, and no token is given"),
        (403, None, "the hub refuses example/model: HTTP 403"),
    ],
)
def test_a_repository_that_cannot_be_read_is_told(run: Run, status: int, token: str | None, text: str) -> None:
    done = run(Hub(MODEL, next=[lambda _: Said(status)]), token=token)
    assert done.code == 2
    assert text in done.err


def test_a_branch_is_no_revision(run: Run) -> None:
    done = run(Hub(MODEL), revision="main")
    assert (done.code, done.asked) == (2, [])
    assert "a branch or a tag may move" in done.err


@pytest.mark.parametrize(
    "first",
    [
        Said(500),
        Said(503),
        Said(429, headers={"RateLimit": '"api";r=0;t=0'}),
        Said(429, headers={"Retry-After": "1"}),
        Said(body=b"[{", headers={"Content-Length": "100"}),
    ],
)
def test_a_hub_in_trouble_is_asked_again(run: Run, bucket: Bucket, first: Said) -> None:
    done = run(Hub(MODEL, next=[lambda _: first]))
    assert done.code == 0, done.err
    assert "again in" in done.out
    assert len(bucket.manifest["files"]) == 3


def test_a_hub_in_trouble_for_long_ends_the_run_for_another_try(run: Run) -> None:
    troubles: list[Callable[[Asked], Said | None]] = [lambda _: Said(502)] * 100
    done = run(Hub(MODEL, next=troubles))
    assert done.code == 1
    assert "given up after 8 tries" in done.err


def test_names_of_any_alphabet_are_kept(run: Run, bucket: Bucket) -> None:
    files = {"模型/größe +%&?#.safetensors": b"x" * 2000, "a b.json": b"{}", "leer.txt": b""}
    done = run(Hub(files))
    assert done.code == 0, done.err
    assert {path: content for path, content in bucket.objects.items() if path != MANIFEST} == files
    assert {each["path"] for each in bucket.manifest["files"]} == set(files)
    again = run(Hub(files))
    assert (again.code, again.asked) == (0, [])


def test_a_list_of_many_pages_is_read_whole(run: Run, bucket: Bucket) -> None:
    files = {f"{number}.json": str(number).encode() for number in range(45)}
    done = run(Hub(files, page=10))
    assert done.code == 0, done.err
    assert len(bucket.manifest["files"]) == 45


@pytest.mark.parametrize(
    ("files", "options", "chosen"),
    [
        (
            ["a.safetensors", "pytorch_model.bin", "tf_model.h5", "onnx/model.onnx", "config.json"],
            [],
            ["a.safetensors", "config.json"],
        ),
        (["a.safetensors", "b/a.safetensors", "c.json"], ["--ignore", "b/*"], ["a.safetensors", "c.json"]),
        (["a.safetensors", "onnx/model.onnx", "c.json"], ["--allow", "*.onnx"], ["onnx/model.onnx"]),
        (["model.gguf", "training_args.bin", "c.json"], [], ["c.json", "model.gguf"]),
        (["pytorch_model.bin", "c.json"], ["--pickles"], ["c.json", "pytorch_model.bin"]),
        (
            ["a.safetensors", "pytorch_model.bin"],
            ["--pickles", "--allow", "*.bin"],
            ["pytorch_model.bin"],
        ),
        (["openvino_model.xml", "openvino_model.bin"], [], ["openvino_model.bin", "openvino_model.xml"]),
    ],
)
def test_safetensors_come_before_other_weights_and_pickles_only_if_asked_for(
    run: Run, bucket: Bucket, files: list[str], options: list[str], chosen: list[str]
) -> None:
    sizes = {"training_args.bin": 10, "c.json": 10}
    done = run(Hub({path: b"x" * sizes.get(path, 2000) for path in files}), *options)
    assert done.code == 0, done.err
    assert [each["path"] for each in bucket.manifest["files"]] == chosen


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "the weights are pickles, which may hold code that runs when they are loaded: pytorch_model.bin"),
        (["--ignore", "*"], "nothing of the repository's 2 files is left by allow and ignore"),
    ],
)
def test_a_choice_that_leaves_no_weights_is_refused(run: Run, bucket: Bucket, options: list[str], text: str) -> None:
    done = run(Hub({"pytorch_model.bin": b"x" * 2000, "config.json": b"{}"}), *options)
    assert done.code == 2
    assert text in done.err
    assert bucket.objects == {}


def test_another_choice_of_the_same_revision_brings_the_rest(run: Run, bucket: Bucket) -> None:
    run(Hub(MODEL), "--ignore", "*.txt")
    done = run(Hub(MODEL))
    assert done.fetched == ["vocab.txt"]
    assert len(bucket.manifest["files"]) == 3


def test_a_prefix_that_holds_another_revision_is_left_alone(run: Run, bucket: Bucket) -> None:
    run(Hub(MODEL))
    before = bucket.objects
    done = run(Hub(MODEL), revision="f" * 40)
    assert (done.code, done.asked) == (2, [])
    assert f"the prefix holds example/model at {REVISION}: give example/model at ffff" in done.err
    assert bucket.objects == before


def test_a_bucket_that_is_not_there_is_told(run: Run, bucket: Bucket) -> None:
    done = run(Hub(MODEL), "--bucket", "other")
    assert (done.code, done.err) == (2, "error: there is no bucket other\n")


def job(**settings: Any) -> Any:
    token = parse(SecretKey, {"secret": "hub", "key": "token"})
    return populate_job(
        "chat",
        parse(Populate, settings),
        HubModel(REPOSITORY, REVISION, token),
        BucketPrefix(BUCKET, PREFIX),
        scripts=scripts_config_map("chat", "populate.py").name,
    )


def test_the_job_has_another_name_for_whatever_else_it_does() -> None:
    names_of_jobs = {job(**settings).name for settings in ({}, {"allow": ["*.onnx"]}, {"pickles": True})}
    assert len(names_of_jobs) == 3
    assert job().name == job().name
    assert all(len(name) <= 63 and name.startswith("chat-weights-") for name in names_of_jobs)


def test_the_job_stays_ends_in_time_and_is_waited_for() -> None:
    spec = job(timeoutMinutes=30).body["spec"]
    assert "ttlSecondsAfterFinished" not in spec
    assert spec["activeDeadlineSeconds"] == 1800
    assert populate_annotations(Populate(timeout_minutes=30)) == {"pulumi.com/timeoutSeconds": "1860"}
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_the_job_writes_as_the_team_with_a_token_from_a_secret() -> None:
    pod = job(pool="system").body["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["serviceAccountName"] == names.TEAM_SERVICE_ACCOUNT
    assert pod["nodeSelector"] == {names.POOL_LABEL: "system"}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}} in container["env"]
    assert container["image"].startswith("docker.io/kserve/storage-initializer:v")


def test_the_job_hands_on_what_is_chosen() -> None:
    (container,) = job(allow=["*.onnx", "*.json"], pickles=True).body["spec"]["template"]["spec"]["containers"]
    assert container["command"][2:] == [
        *("--repository", REPOSITORY, "--revision", REVISION, "--bucket", BUCKET, "--prefix", PREFIX),
        *("--allow", "*.onnx", "--allow", "*.json", "--pickles"),
    ]


@pytest.mark.parametrize(
    ("settings", "beginnings"),
    [
        ({"allow": ["--pickles"]}, ["allow[0]: '--pickles' given"]),
        ({"timeoutMinutes": 1}, ["timeoutMinutes: 1 given"]),
        ({"pickels": True}, ["pickels: "]),
    ],
)
def test_a_setting_that_cannot_be_is_refused(settings: dict[str, Any], beginnings: list[str]) -> None:
    check_problems(problems(Populate, settings), beginnings)
