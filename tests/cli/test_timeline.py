"""`eksml timeline`."""

import json

from command import check_refused, eksml


def test_it_says_how_long_and_what_the_end_waits_for() -> None:
    done = eksml("timeline", "startup")
    assert (done.returncode, done.stderr) == (0, "")
    first, *rest = done.stdout.splitlines()
    assert first.startswith("Stack startup: about 25 min for a first `pulumi up`, of which ")
    assert "The longest chain: seconds, when it is done, what it is" in rest
    assert "\x1b" not in done.stdout


def test_json_is_for_machines_and_settings_count() -> None:
    without = [f"--set={setting}=null" for setting in ("pools.gpu", "servers.assistant", "schedule")]
    content = json.loads(eksml("timeline", "startup", "--json", *without).stdout)
    assert list(content) == ["stack", "seconds", "estimatedSeconds", "chain", "stages", "resources"]
    assert set(content["chain"]) <= {resource["urn"] for resource in content["resources"]}
    assert not any("NodePool" in resource["type"] for resource in content["resources"])


def test_it_takes_the_arguments_of_preview() -> None:
    check_refused(eksml("timeline", "x"), "there is no stack 'x'")
