"""What the documentation names exists and works."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

import eksml
from eksml.check_list import CHECKS
from eksml.cli.main import app
from eksml.platform_settings import PlatformSpec
from eksml.profiles import platform_spec
from programs import recorded

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "components").rglob("*.md")]
)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def id_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def commands() -> list[tuple[str, str]]:
    """Every `eksml …` that a page shows, on a line of its own or within a sentence."""
    found = []
    for page in PAGES:
        shown = re.findall(r"^    (.+)$", prose(page), re.MULTILINE) + re.findall(r"`([^`\n]+)`", prose(page))
        for line in shown:
            found += [
                (id_of(page), part.strip())
                for part in re.split(r"&&|\||  #", line)
                if re.match(r"(uv run )?eksml [a-z]", part.strip())
            ]
    return found


@pytest.mark.parametrize(("page", "command"), commands())
def test_every_command_exists_with_its_options(page: str, command: str) -> None:
    words = command.removeprefix("uv run ").split()[1:]
    words = words[: words.index(">")] if ">" in words else words
    subcommands: dict[str, Any] = vars(typer.main.get_command(app))["commands"]
    assert words[0] in subcommands
    if len(words) > 1:
        subcommands[words[0]].make_context(words[0], [word.strip("'") for word in words[1:]])


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]*)(?:#[^)]*)?\)", prose(page)):
        if target and not target.startswith("http"):
            assert (page.parent / target).exists(), target


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_every_anchor_exists(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#]*)#([^)]+)\)", prose(page)):
        if not target.startswith("http"):
            assert anchor in anchors(page.parent / target if target else page), anchor


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_every_path_exists(page: Path) -> None:
    known = ("components/", "stacks/", "tests/", "docs/", ".ci/")
    for path in re.findall(r"`([\w./-]+)`", prose(page)):
        if path.startswith(known):
            assert (ROOT / path).exists(), path


def settings_of(content: Any) -> dict[str, Any]:
    return content["config"]["eksml:platform"]


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_every_stack_file_is_right(page: Path) -> None:
    for block in blocks(page, "yaml"):
        content = yaml.safe_load(block)
        platform_spec(settings_of(content), region=content["config"]["aws:region"], name="eksml-lab")


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_every_setting_exists(page: Path) -> None:
    specs = [getattr(eksml, name) for names in eksml._PUBLIC.values() for name in names if name.endswith("Spec")]
    known = {field.alias for spec in specs for field in spec.model_fields.values()}
    roots = "|".join(str(field.alias) for field in PlatformSpec.model_fields.values())
    for path in re.findall(rf"`(?:eksml:platform\.)?((?:{roots})\.[\w.]+)[^`]*`", prose(page)):
        root, *names = path.split(".")
        # Pools and teams have names of one's own.
        assert set(names[1:] if root in ("pools", "teams") else names) <= known, path


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_every_waiver_exists(page: Path) -> None:
    assert set(re.findall(r"`waivers\.([\w-]+)`", prose(page))) <= set(CHECKS)


def test_the_guide_to_the_checks_lists_exactly_those_that_there_are() -> None:
    guide = (ROOT / "docs" / "guides" / "checks.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| (\w+) \| (.+) \|$", guide, re.MULTILINE)
    assert rows == [(name, info.severity.value, info.explanation) for name, info in CHECKS.items()]


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_every_check_that_is_named_exists(page: Path) -> None:
    assert set(re.findall(r"check `([\w-]+)`", prose(page))) <= set(CHECKS)


def test_every_guide_is_linked_from_the_first_page() -> None:
    first_page = (ROOT / "README.md").read_text(encoding="utf-8")
    for guide in (ROOT / "docs" / "guides").glob("*.md"):
        assert f"](docs/guides/{guide.name})" in first_page, guide.name


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_every_program_runs(page: Path) -> None:
    for block in blocks(page, "python"):
        code = compile(block, id_of(page), "exec")
        names: dict[str, Any] = {"__name__": "__main__"}
        recorded(lambda code=code, names=names: exec(code, names), config={"gpus:kubeconfig": "{}"})  # noqa: S102
        for name, value in names.items():
            if name.startswith("test_"):
                value()


@pytest.mark.parametrize(
    ("page", "maker", "function"),
    [
        ("reference.md", "make_reference.py", "reference"),
        ("choosing.md", "make_choosing.py", "page"),
        ("metrics.md", "make_metrics.py", "page"),
        ("serving.md", "make_serving.py", "page"),
        ("training.md", "make_training.py", "page"),
    ],
)
def test_a_page_that_is_made_is_made_from_the_current_code(page: str, maker: str, function: str) -> None:
    file = ROOT / "docs" / maker
    namespace: dict[str, Any] = {"__name__": file.stem, "__file__": str(file)}
    exec(compile(file.read_text(), maker, "exec"), namespace)  # noqa: S102
    written = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert written == namespace[function](), f"write it again: uv run python docs/{maker}"


def test_every_decision_is_listed() -> None:
    listed = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    for record in (ROOT / "docs" / "decisions").glob("0*.md"):
        title = record.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        assert f"{title.partition('. ')[0].lstrip('0')}. [{title.partition('. ')[2]}]({record.name})" in listed


def test_the_first_screen_has_the_two_commands() -> None:
    first_screen = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:25]
    assert "    pip install uv && uv run eksml preview research" in first_screen
    assert "    pip install uv && uv run pytest" in first_screen
