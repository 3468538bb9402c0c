"""`eksml init`."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from command import ROOT, check_refused, eksml
from eksml.profiles import PROFILES
from eksml.profiles.schema import stack_file_schema

pytestmark = pytest.mark.slow


def uncommented(text: str) -> str:
    """A stack file with every setting that stands in a comment switched on."""
    head, settings = text.split("eksml:platform:", 1)
    lines = []
    for line in settings.splitlines():
        bare = line.strip().removeprefix("#").strip()
        is_setting = line.strip().startswith("# ") and (bare.partition(" ")[0].endswith(":"))
        lines.append(line.replace("# ", "", 1) if is_setting else line)
    return head + "eksml:platform:" + "\n".join(lines) + "\n"


def test_outside_a_project_it_makes_one_that_previews_as_it_is(tmp_path: Path) -> None:
    directory = tmp_path / "Mein Labor 7"
    directory.mkdir()
    done = eksml("init", "eu", "--profile", "startup", "--region", "eu-central-1", cwd=directory)
    assert done.returncode == 0, done.stderr
    files = ["Pulumi.eu.yaml", "Pulumi.yaml", "__main__.py", "stack.schema.json"]
    assert sorted(file.name for file in directory.iterdir()) == files
    assert sorted(Path(line).name for line in done.stdout.splitlines()) == files
    preview = eksml("preview", "eu", cwd=directory)
    assert preview.returncode == 0, preview.stderr
    assert "mein-labor-eu  eksml.platform.Platform  startup profile, eu-central-1" in preview.stdout


@pytest.mark.parametrize("profile", PROFILES)
def test_what_it_offers_in_comments_is_right_too(tmp_path: Path, profile: str) -> None:
    assert eksml("init", "dev", "--profile", profile, cwd=tmp_path).returncode == 0
    file = tmp_path / "Pulumi.dev.yaml"
    plain = file.read_text(encoding="utf-8")
    file.write_text(uncommented(plain), encoding="utf-8")
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]["eksml:platform"]
    assert {"name", "tags", "network", "cluster", "pools"} <= set(settings)
    jsonschema.validate(yaml.safe_load(plain), stack_file_schema())
    jsonschema.validate(yaml.safe_load(file.read_text(encoding="utf-8")), stack_file_schema())
    done = eksml("preview", "dev", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "experiments" in done.stdout


def test_inside_a_project_it_adds_a_stack_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: lab\nruntime: python\nmain: stacks\nstackConfigDir: stacks\n")
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "stack.schema.json").write_text("{}")
    done = eksml("init", "dev", "--profile", "research", cwd=tmp_path / "stacks")
    assert done.stdout.splitlines() == [str(tmp_path / "stacks" / "Pulumi.dev.yaml")]
    assert (tmp_path / "stacks" / "stack.schema.json").read_text() == "{}"


def test_it_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text("mine")
    done = eksml("init", "dev", "--profile", "research", cwd=tmp_path)
    check_refused(done, f"{tmp_path}: Pulumi.dev.yaml exists, and nothing is overwritten")
    assert [file.name for file in tmp_path.iterdir()] == ["Pulumi.dev.yaml"]
    assert (tmp_path / "Pulumi.dev.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "beginnings"),
    [
        (
            ["dev", "--profile", "reserch"],
            ["profile: 'reserch' given, must be research, production or startup"],
        ),
        (
            ["dev", "--profile", "research", "--region", "mars"],
            ["network.zones: missing", "region: 'mars' given, must be an AWS region"],
        ),
        (["my stack", "--profile", "research"], ["name: 'lab-my stack' given, must be 2 to 32 lower-case letters"]),
        (["../dev", "--profile", "research"], ["name: 'lab-../dev' given, must be 2 to 32 lower-case letters"]),
        (["a" * 40, "--profile", "research"], [f"name: 'lab-{'a' * 40}' given, must be 2 to 32"]),
        (["größe", "--profile", "research"], ["name: 'lab-größe' given, must be 2 to 32"]),
    ],
)
def test_what_could_not_be_previewed_is_not_written(
    tmp_path: Path, arguments: list[str], beginnings: list[str]
) -> None:
    directory = tmp_path / "lab"
    directory.mkdir()
    check_refused(eksml("init", *arguments, cwd=directory), *beginnings)
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("profile", PROFILES)
def test_a_region_without_the_gpus_of_a_profile_has_a_way_out_that_works(tmp_path: Path, profile: str) -> None:
    done = eksml("init", "dev", "--profile", profile, "--region", "eu-west-1", cwd=tmp_path)
    assert done.returncode == 2
    *_, last = done.stderr.splitlines()
    text, _, way_out = last.partition("eksml recommend ")
    assert text == "eksml: the profile with other GPUs: "
    assert eksml("recommend", *way_out.split(), cwd=tmp_path).returncode == 0
    assert (tmp_path / "Pulumi.dev.yaml").exists()


@pytest.mark.parametrize("profile", PROFILES)
def test_what_a_region_lacks_is_said_once_with_the_regions_that_have_it_all(tmp_path: Path, profile: str) -> None:
    done = eksml("init", "dev", "--profile", profile, "--region", "eu-west-1", cwd=tmp_path)
    first, _ = done.stderr.splitlines()
    assert first.startswith("eksml: region: EC2 does not offer g6.")
    assert f" of the profile {profile} in eu-west-1; all its types are in " in first
    able = first.partition(" are in ")[2].replace(" and ", ", ").split(", ")
    assert "us-west-2" in able
    assert "eu-west-1" not in able
    for region in able:
        assert eksml("init", region, "--profile", profile, "--region", region, cwd=tmp_path).returncode == 0


def test_a_region_without_such_gpus_has_others_named_that_have_them(tmp_path: Path) -> None:
    done = eksml("init", "dev", "--profile", "startup", "--region", "ap-southeast-1", cwd=tmp_path)
    assert done.returncode == 2
    assert "us-east-2 or us-west-2 will do, and workload=tabular needs no GPUs" in done.stderr.splitlines()[-1]


def test_the_program_that_it_writes_is_the_one_of_the_repository() -> None:
    template = ROOT / "components" / "eksml" / "cli" / "templates" / "program.py"
    assert template.read_text() == (ROOT / "stacks" / "__main__.py").read_text()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("runtime: python\n", "name: missing, must be the project's name"),
        ("", "must be a mapping of names to values"),
        ("- a\n", "must be a mapping of names to values"),
    ],
)
def test_a_project_file_that_is_none_is_told(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(content)
    check_refused(eksml("init", "dev", "--profile", "research", cwd=tmp_path), f"{tmp_path / 'Pulumi.yaml'}: {told}")
