"""This machine: its programs, its token for the hub, what it reaches."""

import http.server
import threading
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pulumi_kubernetes as kubernetes
import pytest

from eksml.errors import InputError
from eksml.preflight import downloads, hub, machine, programs
from eksml.preflight.basis import Basis
from eksml.preflight.finding import Status
from eksml.preflight.machine import Machine
from preflight.accounts import FakeMachine, answers, basis_of, moto_account, one, plan_with
from programs import recorded

pytestmark = pytest.mark.slow

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
GATED = f"""
servers.chat.source: {{kind: hub, model: {LLAMA}, token: {{secret: hub, key: token}}}}
"""


def program(name: str, said: str | None, stack: str = "startup") -> tuple[Status, str]:
    with moto_account() as (account, _):
        basis = basis_of(plan_with(stack), said={name: said})
        return one(programs, basis, f"the program {name}", account)


@pytest.mark.parametrize(
    ("name", "said", "status"),
    [
        ("aws", "aws-cli/2.33.1 Python/3.13.7\n", Status.OK),
        ("aws", "aws-cli/1.44.0 Python/3.11.7\n", Status.ERROR),
        ("aws", None, Status.ERROR),
        ("pulumi", "v3.272.0\n", Status.OK),
        ("pulumi", "v3.9.1\n", Status.ERROR),
        ("pulumi", "pulumi", Status.NOT_KNOWN),
        ("kubectl", '{"clientVersion": {"gitVersion": "v1.37.0"}}', Status.OK),
        ("kubectl", '{"clientVersion": {"gitVersion": "v1.34.9"}}', Status.WARNING),
        ("kubectl", "v1.36", Status.NOT_KNOWN),
        ("kubectl", None, Status.WARNING),
    ],
)
def test_a_program_is_there_and_new_enough_or_not(name: str, said: str | None, status: Status) -> None:
    assert program(name, said)[0] is status


@pytest.mark.parametrize(("said", "status"), [("founder\n", Status.OK), (None, Status.ERROR)])
def test_pulumi_has_to_be_logged_in(said: str | None, status: Status) -> None:
    with moto_account() as (account, _):
        basis = basis_of(plan_with("startup"), said={"pulumi whoami": said})
        given, text = one(programs, basis, "the backend of Pulumi", account)
    assert given is status
    assert "founder" not in text


def test_the_backend_is_that_of_the_project_and_nobodys_where_there_is_no_pulumi() -> None:
    """Pulumi.yaml may name one, wherever the command is run."""
    basis, asked = basis_of(plan_with("startup")), []

    def said_by(command: tuple[str, ...]) -> str:
        asked.append(command)
        return "founder"

    with moto_account() as (account, _):
        with patch.object(basis.machine, "said_by", said_by):
            assert one(programs, basis, "the backend of Pulumi", account)[0] is Status.OK
        assert asked[-1][-2:] == ("--cwd", str(basis.directory))
        assert answers(programs, basis_of(plan_with("startup"), said={"pulumi": None}), "the backend", account) == []


def test_the_hosts_of_charts_and_overlays_are_tried() -> None:
    """A machine that comes to AWS and not to them fails in the middle of `pulumi up`."""
    reached, lost = basis_of(plan_with("research")), basis_of(plan_with("research"), reaches=False)
    hosts = [each.what.removeprefix("the host ") for each in downloads.questions(reached)]
    assert {"ghcr.io", "public.ecr.aws", "nvidia.github.io", "registry.k8s.io", "github.com"} <= set(hosts)
    with moto_account() as (account, _):
        assert one(downloads, reached, "the host ghcr.io", account)[0] is Status.OK
        status, text = one(downloads, lost, "the host ghcr.io", account)
        assert one(downloads, lost, "the host github.com", account)[0] is Status.WARNING, "git has settings of its own"
    assert status is Status.ERROR
    assert "fetches kube-prometheus-stack there" in text


def test_charts_of_a_registry_of_ones_own_are_fetched_there_alone() -> None:
    registry = "123456789012.dkr.ecr.us-west-2.amazonaws.com"
    questions = downloads.questions(basis_of(plan_with("research", f"imageRegistry: {registry}")))
    assert {each.what for each in questions} == {f"the host {registry}", "the host github.com"}


def test_the_port_of_a_host_is_its_own() -> None:
    asked: list[tuple[str, int]] = []
    repository = kubernetes.helm.v3.RepositoryOptsArgs(repo="http://charts.internal:8080/x")
    plan = recorded(lambda: kubernetes.helm.v3.Release("x", chart="x", repository_opts=repository))
    basis = basis_of(plan)
    with moto_account() as (account, _), patch.object(basis.machine, "reaches", lambda *end: asked.append(end) or True):
        assert one(downloads, basis, "the host charts.internal", account)[0] is Status.OK
    assert asked == [("charts.internal", 8080)]


def test_git_is_needed_for_overlays_alone() -> None:
    assert program("git", None, "production")[0] is Status.ERROR
    assert "the program git" not in [each.what for each in programs.questions(basis_of(recorded(lambda: None)))]


def test_a_program_that_fails_hangs_or_is_not_there_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_PROGRAM_SECONDS", 0.2)
    assert Machine().said_by(["git", "--version"]) is not None
    assert Machine().said_by(["printf", "v3.272.0 \\377"]) == "v3.272.0 \ufffd", "what is no text costs nothing"
    for command in (["git", "no-such-command"], ["sleep", "5"], ["no-such-program"]):
        assert Machine().said_by(command) is None


class _Hub(http.server.BaseHTTPRequestHandler):
    seen: list[tuple[str, str, str]]
    status: int

    def do_HEAD(self) -> None:
        type(self).seen.append((self.command, self.path, self.headers.get("Authorization", "")))
        self.send_response(type(self).status)
        self.send_header("Location", "http://127.0.0.1:1/never-followed")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def local_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, type[_Hub]]]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = type("Handler", (_Hub,), {"seen": [], "status": 200})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("code", "status", "text"),
    [
        (200, Status.OK, "the hub gives it"),
        (307, Status.OK, "the hub gives it"),
        (401, Status.ERROR, "does not take the token"),
        (403, Status.ERROR, "licence was not accepted"),
        (404, Status.ERROR, "no such model"),
        (503, Status.NOT_KNOWN, "answers 503"),
    ],
)
def test_the_hub_is_asked_for_a_gated_model(
    local_hub: tuple[str, type[_Hub]], code: int, status: Status, text: str
) -> None:
    address, handler = local_hub
    handler.status = code
    with moto_account() as (account, _):
        basis = basis_of(plan_with("research", GATED), settings={"HF_ENDPOINT": address})
        given = one(hub, basis, f"the gated model {LLAMA}", account)
    assert given[0] is status
    assert text in given[1]
    assert handler.seen == [("HEAD", f"/{LLAMA}/resolve/main/config.json", "Bearer hf_test")]
    assert "hf_test" not in given[1]


def test_without_a_token_or_a_hub_it_is_not_known(local_hub: tuple[str, type[_Hub]]) -> None:
    plan = plan_with("research", GATED)
    with moto_account() as (account, _):
        none = one(hub, basis_of(plan, settings={"HF_TOKEN": ""}), "the gated model", account)
        closed = one(hub, basis_of(plan, settings={"HF_ENDPOINT": "http://127.0.0.1:1"}), "the gated model", account)
    assert (none[0], closed[0]) == (Status.NOT_KNOWN, Status.NOT_KNOWN)
    assert local_hub[1].seen == []


def test_a_token_is_never_shown_whatever_it_holds(monkeypatch: pytest.MonkeyPatch, local_hub: Any) -> None:
    """The end of a line in it is what a file of Windows leaves; Python's own error would show the whole header."""
    monkeypatch.setenv("HF_ENDPOINT", local_hub[0])
    for token, status in (("hf_secret\r\n", Status.OK), ("hf_\nsecret", Status.ERROR), ("hf_secrét", Status.ERROR)):
        monkeypatch.setenv("HF_TOKEN", token)
        with moto_account() as (account, _):
            given = one(hub, Basis(plan_with("research", GATED)), f"the gated model {LLAMA}", account)
        assert given[0] is status
        assert "secr" not in given[1]
    assert [seen[2] for seen in local_hub[1].seen] == ["Bearer hf_secret"]


@pytest.mark.parametrize("address", ["huggingface.co", "https://huggingface.co:port"])
def test_a_hub_that_is_no_address_is_an_error_of_this_question_alone(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with moto_account() as (account, _):
        given = one(hub, Basis(plan_with("research", GATED)), f"the gated model {LLAMA}", account)
    assert given[0] is Status.ERROR
    assert "HF_ENDPOINT" in given[1]


class _Proxy(http.server.BaseHTTPRequestHandler):
    seen: list[tuple[str, str]]

    def do_CONNECT(self) -> None:
        type(self).seen.append((self.path, self.headers.get("Proxy-Authorization", "")))
        self.send_response(403 if self.path.startswith("closed") else 200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_it_goes_through_the_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the engine does; behind one, a host that answers nobody directly is within reach all the same."""
    handler = type("Handler", (_Proxy,), {"seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("https_proxy", f"http://me:p%40ss@127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "direct.invalid")
    assert Machine().reaches("open.invalid", 443)
    assert not Machine().reaches("closed.invalid", 443)
    assert not Machine().reaches("direct.invalid", 443)
    server.shutdown()
    server.server_close()
    assert handler.seen == [(f"{name}.invalid:443", "Basic bWU6cEBzcw==") for name in ("open", "closed")]


def test_a_hub_that_is_no_address_is_refused() -> None:
    with pytest.raises(InputError, match="must be the address of a server"):
        Machine().status_of("file:///etc/passwd")


@pytest.mark.parametrize("stack", ["research", "production", "startup"])
def test_models_that_are_not_gated_are_not_asked_for(stack: str) -> None:
    assert list(hub.questions(basis_of(plan_with(stack)))) == []


def test_a_name_that_no_host_can_have_is_not_reached() -> None:
    assert not Machine().reaches("a" * 70 + ".invalid", 443)
    assert not Machine().reaches("charts..invalid", 443)
    assert Machine().status_of("https://charts..invalid/x") is None


def test_it_sees_what_it_reaches(local_hub: tuple[str, type[_Hub]]) -> None:
    port = int(local_hub[0].rpartition(":")[2])
    assert Machine().reaches("127.0.0.1", port)
    assert not Machine().reaches("127.0.0.1", 1)


def test_a_fake_machine_answers_what_a_real_one_does() -> None:
    real = {name for name in vars(Machine) if not name.startswith("_")}
    assert real <= set(dir(FakeMachine))
    assert Basis(plan_with("startup")).machine.setting("EKSML_NO_SUCH_VARIABLE") == ""
