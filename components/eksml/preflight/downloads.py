"""Whether this machine reaches what `pulumi up` downloads from: the hosts of charts, and of overlays of kustomize."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from urllib.parse import SplitResult, urlsplit

from eksml.account import Account
from eksml.plan.canonical import KUSTOMIZE_DIRECTORY
from eksml.preflight.basis import Basis
from eksml.preflight.finding import Answer, Question, error, ok, warning

_RELEASE = "kubernetes:helm.sh/v3:Release"
_PORTS = {"http": 80}
_HTTPS = 443
_ADVICE = "let this machine out to it (HTTPS_PROXY), or take charts from a registry of your own (imageRegistry)"


def questions(basis: Basis) -> Iterator[Question]:
    """Whether each host takes connections."""
    charts, overlays = _charts(basis), _overlays(basis)
    for host, port in sorted({*charts, *overlays}):
        asked = partial(_reached, host, port, charts[host, port], overlays[host, port], basis)
        yield Question(f"the host {host}", asked)


def _charts(basis: Basis) -> defaultdict[tuple[str, int], set[str]]:
    """The names of the charts, by host and port."""
    found = defaultdict(set)
    for release in basis.whole.of_type(_RELEASE):
        chart = str(release.inputs.get("chart"))
        place = str((release.inputs.get("repositoryOpts") or {}).get("repo") or chart)
        if (parts := urlsplit(place)).hostname:
            found[_end(parts)].add(chart.rpartition("/")[2])
    return found


def _overlays(basis: Basis) -> defaultdict[tuple[str, int], set[str]]:
    """The repositories of overlays, by host and port."""
    found = defaultdict(set)
    for overlay in basis.whole.of_type(KUSTOMIZE_DIRECTORY):
        parts = urlsplit(str(overlay.inputs.get("overlay") or ""))
        if parts.hostname:
            found[_end(parts)].add(parts.path.partition("//")[0].strip("/"))
    return found


def _end(parts: SplitResult) -> tuple[str, int]:
    return str(parts.hostname), parts.port or _PORTS.get(parts.scheme, _HTTPS)


def _reached(
    host: str, port: int, charts: set[str], overlays: set[str], basis: Basis, _account: Account
) -> Iterator[Answer]:
    wanted = ", ".join(sorted(charts | overlays))
    text = f"takes no connections from this machine, and `pulumi up` fetches {wanted} there"
    if basis.machine.reaches(host, port):
        yield ok(f"takes connections from this machine: {wanted}")
    elif charts:
        yield error(text, _ADVICE)
    else:
        # Git may go through a proxy of its own settings.
        yield warning(text, "let this machine out to it; git takes HTTPS_PROXY, or http.proxy of its configuration")
