"""`eksml prices refresh`, and `eksml cost` with what it wrote."""

import errno
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command import EKSML, ROOT, check_refused, eksml, eksml_process
from eksml import catalog
from eksml.account import Account
from eksml.prices.price_file import read_prices
from prices.price_lists import Reply, entry, made_up, price_account

pytestmark = pytest.mark.slow

PRODUCTION, STARTUP = (str(ROOT / "tests" / "golden" / stack / "plan.json") for stack in ("production", "startup"))
OREGON = ("prices", "refresh", "--region", "us-west-2")


@pytest.fixture
def reply(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    answer: Reply = getattr(request, "param", None) or made_up(1.1)
    with price_account(answer) as account:
        monkeypatch.setattr(Account, "here", classmethod(lambda cls, region, profile=None: account))
        yield


def as_if(answer: Reply) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("reply", [answer], indirect=True)


@pytest.mark.usefixtures("reply")
def test_the_whole_catalog_is_asked_for_written_and_shown_in_80_columns(tmp_path: Path) -> None:
    done = eksml("prices", "refresh", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "prices.json is written\n")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["US", "dollars", "old", "new", "%"]
    assert any(line.split() == ["natGatewayHour", "us-west-2", "0.045", "0.0495", "+10.0"] for line in lines)
    assert any(line.split() == ["snapshotGb", "eu-central-1", "0.05", "0.055", "+10.0"] for line in lines)
    assert any(line.split() == ["p5e.48xlarge", "us-west-2", "7.7", "new"] for line in lines)
    assert [line for line in lines if len(line) > 80] == []
    written = read_prices(tmp_path / "prices.json")
    assert set(written.prices) == set(catalog.prices())
    offered = {name: set(fact.regions) for name, fact in catalog.instance_types().items() if fact.regions}
    assert {name: set(prices) for name, prices in written.instance_types.items()} == offered
    assert written.prices["gp3Throughput"]["us-west-2"].usd == pytest.approx(0.044)


@as_if(made_up())
@pytest.mark.usefixtures("reply")
def test_where_nothing_changed_it_says_so_but_for_what_is_new(tmp_path: Path) -> None:
    eksml(*OREGON, cwd=tmp_path)
    done = eksml(*OREGON, cwd=tmp_path)
    number = len(json.loads(eksml(*OREGON, "--json", "--out", "other.json", cwd=tmp_path).stdout)["changed"])
    assert number == 2, "p5e.48xlarge and p3dn.24xlarge had no price"
    assert done.stdout.splitlines() == ["", "161 as before, 0 changed or new, 0 not found"]


@pytest.mark.usefixtures("reply")
def test_one_region_leaves_the_others_in_the_file_as_they_were(tmp_path: Path) -> None:
    eksml("prices", "refresh", "--region", "eu-central-1", cwd=tmp_path)
    before = read_prices(tmp_path / "prices.json")
    assert eksml(*OREGON, cwd=tmp_path).returncode == 0
    after = read_prices(tmp_path / "prices.json")
    assert set(after.prices["kmsKey"]) == {"eu-central-1", "us-west-2"}
    assert after.prices["kmsKey"]["eu-central-1"] == before.prices["kmsKey"]["eu-central-1"]


@pytest.mark.usefixtures("reply")
def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    done = eksml(*OREGON, "--dry-run", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == "nothing is written\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("reply")
def test_what_was_found_is_shown_also_where_it_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prices.json").write_text("{}", encoding="utf-8")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    done = eksml(*OREGON, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "eksml: .: No space left on device\n")
    assert "changed or new" in done.stdout
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("prices.json", "{}")]


@as_if(made_up(1.1, left_out=("natGatewayHour", "g6.xlarge")))
@pytest.mark.usefixtures("reply")
def test_a_price_that_is_not_found_is_named_ends_with_1_and_stays(tmp_path: Path) -> None:
    done = eksml(*OREGON, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "prices.json is written\neksml: 2 prices not found: what was known of them stays\n"
    assert "no price  natGatewayHour in us-west-2: the Price List has no such product" in done.stdout.splitlines()
    written = read_prices(tmp_path / "prices.json")
    assert "natGatewayHour" not in written.prices
    assert "natGatewayGb" in written.prices
    known = json.loads(eksml(*OREGON, "--json", cwd=tmp_path).stdout)["notFound"]
    assert known[0] == {
        "name": "natGatewayHour",
        "what": "NAT gateway",
        "region": "us-west-2",
        "unit": "hour",
        "reason": "the Price List has no such product",
    }


@as_if(lambda params: {"PriceList": [entry("USW2-NatGateway-Hours", "0.045", sku=sku) for sku in "AB"]})
@pytest.mark.usefixtures("reply")
def test_machines_get_every_change_with_its_name(tmp_path: Path) -> None:
    content: dict[str, Any] = json.loads(eksml(*OREGON, "--json", cwd=tmp_path).stdout)
    assert list(content) == ["same", "changed", "notFound"]
    assert content["same"] == 1
    assert {"name", "what", "region", "unit", "old", "new", "percent"} == set(content["changed"][0])


@pytest.mark.usefixtures("reply")
def test_a_bill_counts_with_the_prices_of_the_file_and_says_of_when_they_are(tmp_path: Path) -> None:
    file = str(tmp_path / "prices.json")
    eksml(*OREGON, "--out", file)
    usual, refreshed = (
        json.loads(eksml("cost", PRODUCTION, "--json", *more).stdout) for more in ((), ("--prices", file))
    )
    fixed = refreshed["monthly"]["atLeast"] / usual["monthly"]["atLeast"]
    assert fixed == pytest.approx(1.1, rel=1e-6)
    assert {item["priceDate"] for item in refreshed["items"]} == {"2026-11-21"}
    assert all("AWS Price List, SKU " in item["source"] for item in refreshed["items"])
    assert not any("us-east-1" in item["source"] for item in refreshed["items"]), "nothing has to stand in"
    text = eksml("cost", PRODUCTION, "--prices", file).stdout.splitlines()
    assert text[-1].startswith("Prices are of 2026-11-21;")
    assert eksml("cost", PRODUCTION, "--prices", file, "--compare", STARTUP).returncode == 0


def test_a_bill_without_a_file_says_of_when_the_catalogs_prices_are() -> None:
    text = " ".join(eksml("cost", PRODUCTION).stdout.split())
    assert "Prices are of 2026-11-21, the oldest of 2025-03-02;" in text
    assert "`eksml prices refresh` asks AWS for those of today." in text


NAN = float("nan")
USD = "prices.kmsKey.us-west-2.usd: "
PRICE = {"usd": 0.045, "date": "2026-11-21", "sku": "A"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "not JSON: it must be a file that `eksml prices refresh` wrote"),
        ("[]", ""),
        (json.dumps({"price": {}}), "price: unknown key, did you mean 'prices'?"),
        *((json.dumps({"prices": {"kmsKey": {"us-west-2": PRICE | {"usd": usd}}}}), USD) for usd in (0, -1, "$1", NAN)),
        (json.dumps({"instanceTypes": {"g6.xlarge": {"us-west-2": PRICE | {"date": 5e9}}}}), "instanceTypes"),
    ],
)
def test_a_file_that_is_no_prices_is_refused_by_both_and_not_overwritten(
    content: str, problem: str, tmp_path: Path
) -> None:
    file = tmp_path / "prices.json"
    file.write_text(content, encoding="utf-8")
    for arguments in (("cost", STARTUP, "--prices", str(file)), (*OREGON, "--out", str(file))):
        check_refused(eksml(*arguments), f"{file}: {problem}")
    assert file.read_text(encoding="utf-8") == content


def test_a_name_that_the_catalog_does_not_have_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "prices.json").write_text(json.dumps({"prices": {"teapot": {"mars": PRICE}}}), encoding="utf-8")
    done = eksml("cost", STARTUP, "--prices", str(tmp_path / "prices.json"))
    assert done.stdout == eksml("cost", STARTUP).stdout


@pytest.mark.parametrize("arguments", [("cost", STARTUP, "--prices"), (*OREGON, "--out")])
def test_a_place_where_no_file_can_be_is_told(arguments: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check_refused(eksml(*arguments, str(tmp_path)), f"{tmp_path}: Is a directory")
    below = tmp_path / "file" / "prices.json"
    check_refused(eksml(*arguments, str(below)), f"{'--out ' if '--out' in arguments else ''}{below}: ")


def test_a_file_that_is_not_there_has_no_prices(tmp_path: Path) -> None:
    check_refused(eksml("cost", STARTUP, "--prices", str(tmp_path / "x.json")), f"{tmp_path}/x.json: No such file")


def test_a_region_that_the_catalog_does_not_know_is_refused() -> None:
    check_refused(eksml("prices", "refresh", "--region", "us-west-3"), "--region us-west-3: must be ap-northeast-1, ")


def without_credentials(folder: Path) -> dict[str, str]:
    return {
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"), ""),
    }


def test_without_credentials_it_ends_with_3(tmp_path: Path) -> None:
    done = eksml_process(*OREGON, cwd=tmp_path, **without_credentials(tmp_path))
    assert (done.returncode, done.stdout) == (3, "")
    assert "sign in (`aws sso login`" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_boto3_it_ends_with_3_and_says_how_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['boto3'] = None\n")
    done = eksml_process(*OREGON, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 3
    assert "pip install 'eksml[aws]'" in done.stderr


def test_an_interruption_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({"prices": {"kmsKey": {"us-west-2": PRICE}}}), encoding="utf-8")
    before = file.read_bytes()
    (tmp_path / "sitecustomize.py").write_text(
        "import os, time\nimport eksml.account as account\n"
        "account.Account.identity = None\n"
        "account.Account.all = lambda *_, **__: (os.write(1, b'asked\\n'), time.sleep(60), [])[-1]\n"
        "account.Account.here = classmethod(lambda cls, region, profile=None: cls(None, region))\n"
    )
    command = [EKSML, *OREGON]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        assert process.wait(timeout=50) == 130
    assert time.monotonic() - started < 30, "what AWS has yet to answer, and takes a minute for, is not waited for"
    assert file.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} <= {"prices.json", "sitecustomize.py", "__pycache__"}


def test_a_connection_that_aws_cuts_does_not_end_it_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import socket\nimport eksml.account as account\n"
        "def cut(*_, **__):\n"
        "    ours, theirs = socket.socketpair()\n    theirs.close()\n"
        "    try:\n        ours.send(b'asked')\n"
        "    except BrokenPipeError:\n        raise ValueError('cut') from None\n"
        "account.Account.identity = None\n"
        "account.Account.all = cut\n"
        "account.Account.here = classmethod(lambda cls, region, profile=None: cls(None, region))\n"
    )
    done = eksml_process(*OREGON, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    told = "a mistake of ours: ValueError: cut (EKSML_DEBUG=1 shows where)"
    assert (done.returncode, done.stderr.splitlines()[0]) == (70, f"eksml: {told}")


def test_its_help_has_examples_and_the_group_lists_it() -> None:
    text = eksml("prices", "refresh", "--help").stdout
    assert "eksml prices refresh" in text.partition("Example")[2]
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert "refresh" in eksml("prices").stderr + eksml("prices", "--help").stdout
    assert "prices " in eksml("--help").stdout


def test_the_catalogs_own_file_is_as_it_would_be_written() -> None:
    from eksml.prices.price_file import prices_text

    file = ROOT / "components" / "eksml" / "catalog" / "price_list.json"
    assert file.read_text(encoding="utf-8") == prices_text(catalog.price_list())
