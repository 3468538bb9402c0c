"""This machine: its programs, its token for the hub, what it reaches."""

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from eksml.errors import InputError
from eksml.preflight import hub, machine, programs
from eksml.preflight.basis import Basis
from eksml.preflight.finding import Status
from eksml.preflight.machine import Machine
from preflight.accounts import FakeMachine, basis_of, moto_account, one, plan_with
from programs import recorded

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


def test_git_is_needed_for_overlays_alone() -> None:
    assert program("git", None, "production")[0] is Status.ERROR
    assert "the program git" not in [each.what for each in programs.questions(basis_of(recorded(lambda: None)))]


def test_a_program_that_fails_hangs_or_is_not_there_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_PROGRAM_SECONDS", 0.2)
    assert Machine().said_by(["git", "--version"]) is not None
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
def local_hub() -> Iterator[tuple[str, type[_Hub]]]:
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


def test_a_hub_that_is_no_address_is_refused() -> None:
    with pytest.raises(InputError, match="must be the address of a server"):
        Machine().status_of("file:///etc/passwd")


@pytest.mark.parametrize("stack", ["research", "production", "startup"])
def test_models_that_are_not_gated_are_not_asked_for(stack: str) -> None:
    assert list(hub.questions(basis_of(plan_with(stack)))) == []


def test_it_sees_what_it_reaches(local_hub: tuple[str, type[_Hub]]) -> None:
    port = int(local_hub[0].rpartition(":")[2])
    assert Machine().reaches("127.0.0.1", port)
    assert not Machine().reaches("127.0.0.1", 1)


def test_a_fake_machine_answers_what_a_real_one_does() -> None:
    real = {name for name in vars(Machine) if not name.startswith("_")}
    assert real <= set(dir(FakeMachine))
    assert Basis(plan_with("startup")).machine.setting("EKSML_NO_SUCH_VARIABLE") == ""
