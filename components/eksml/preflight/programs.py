"""The programs that `pulumi up` needs on this machine, the backend that Pulumi is logged in to, and kubectl."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial

from eksml import catalog
from eksml.account import Account
from eksml.plan.canonical import KUSTOMIZE_DIRECTORY
from eksml.preflight.basis import Basis
from eksml.preflight.finding import Answer, Question, error, not_known, ok, warning
from eksml.preflight.kubernetes import version_of

_KUBECTL = "https://kubernetes.io/docs/tasks/tools/"


def questions(basis: Basis) -> Iterator[Question]:
    """Whether each program is here and new enough, and whether Pulumi has a backend."""
    has_overlays = bool(basis.whole.of_type(KUSTOMIZE_DIRECTORY))
    for name, program in catalog.programs().items():
        if program.needed == "always" or has_overlays:
            yield Question(f"the program {name}", partial(_program, name, basis))
    yield Question("the backend of Pulumi", partial(_backend, basis))
    yield Question("the program kubectl", partial(_kubectl, basis))


def _program(name: str, basis: Basis, _account: Account) -> Iterator[Answer]:
    program = catalog.programs()[name]
    get = f"install it: {program.get}"
    said = basis.machine.said_by(program.command)
    if said is None:
        yield error("is not on this machine, or does not run", get)
    elif (version := _version(said)) is None:
        yield not_known(f"says no version: {said.strip()[:60]}", get)
    elif _numbers(version) < _numbers(program.least):
        yield error(f"is {version}, must be {program.least} or newer", get)
    else:
        yield ok(version)


def _backend(basis: Basis, _account: Account) -> Iterator[Answer]:
    if basis.machine.said_by(("pulumi", "version")) is None:
        return
    if basis.machine.said_by(("pulumi", "whoami", "--non-interactive", "--cwd", str(basis.directory))) is None:
        yield error("Pulumi is not logged in, or its backend does not answer", "`pulumi login`, then `pulumi whoami`")
    else:
        yield ok("Pulumi is logged in")


def _kubectl(basis: Basis, _account: Account) -> Iterator[Answer]:
    said = basis.machine.said_by(("kubectl", "version", "--client", "--output", "json"))
    if said is None:
        yield warning(
            "is not on this machine: `pulumi up` needs none, a look into the cluster does", f"install it: {_KUBECTL}"
        )
        return
    client, cluster = _client_version(said), version_of(basis)
    if client is None or cluster is None:
        yield not_known("its version, or that of the cluster, is not known")
        return
    apart = abs(_numbers(client)[1] - _numbers(cluster)[1])
    most = catalog.kubectl_skew()
    if apart > most:
        advice = f"take kubectl {cluster}: {_KUBECTL}"
        yield warning(f"is {client}, and the cluster is {cluster}: they may be {most} minor version apart", advice)
    else:
        yield ok(f"{client}, with a cluster of {cluster}")


def _client_version(said: str) -> str | None:
    try:
        return _version(json.loads(said)["clientVersion"]["gitVersion"])
    except (ValueError, KeyError, TypeError):
        return None


def _version(text: str) -> str | None:
    match = re.search(r"\d+(?:\.\d+)+", text)
    return match[0] if match else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
