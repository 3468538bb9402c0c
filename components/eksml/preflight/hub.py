"""Whether the Hugging Face hub gives the gated models of a Plan to the token of this machine."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from functools import partial

from eksml.account import Account
from eksml.checks.engines import loaded_models
from eksml.errors import InputError
from eksml.preflight.basis import Basis
from eksml.preflight.finding import Answer, Question, error, not_known, ok

_HUB = "https://huggingface.co"
# A small file that every model of Transformers has, gated as the weights are.
_FILE = "resolve/main/config.json"


def questions(basis: Basis) -> Iterator[Question]:
    """Whether each gated model may be fetched."""
    gated = {each.name for each in loaded_models(basis.whole) if each.fact.gated and each.comes_from_hub}
    for model in sorted(gated):
        yield Question(f"the gated model {model}", partial(_may_fetch, model, basis))


def _may_fetch(model: str, basis: Basis, _account: Account) -> Iterator[Answer]:
    token = basis.machine.setting("HF_TOKEN")
    if not token:
        yield not_known("HF_TOKEN is not set here, so nobody was asked", "set it to the token that the servers get")
        return
    if not re.fullmatch(r"[!-~]+", token):
        yield error("what HF_TOKEN has is no token: it has blanks, or letters that none has", "set it anew")
        return
    hub = basis.machine.setting("HF_ENDPOINT") or _HUB
    try:
        status = basis.machine.status_of(f"{hub.rstrip('/')}/{model}/{_FILE}", token)
    except InputError:
        yield error("HF_ENDPOINT is no address of a server", f"unset it, or set it to one such as {_HUB}")
        return
    if status is None:
        yield not_known(f"{hub} does not answer this machine", "ask again from where it does")
    elif status < http.client.BAD_REQUEST:
        yield ok("the hub gives it to the token in HF_TOKEN")
    elif status == http.client.UNAUTHORIZED:
        yield error("the hub does not take the token in HF_TOKEN", f"make one: {hub}/settings/tokens")
    elif status == http.client.FORBIDDEN:
        yield error(
            "its licence was not accepted by whom the token is of, or the token may not read gated models",
            f"accept it at {hub}/{model}, and let the token read gated repositories",
        )
    elif status == http.client.NOT_FOUND:
        yield error("the hub has no such model, or shows it to others only", f"look at {hub}/{model}")
    else:
        yield not_known(f"the hub answers {status}", "ask again in a while")
