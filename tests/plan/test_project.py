"""Finding a project and reading its stacks, as the Pulumi CLI does."""

from pathlib import Path

import pytest

from eksml.errors import InputError
from eksml.plan.project import Stack, find_stack, project_above
from eksml.plan.recorder import record

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"
PROGRAM = "import pulumi\n"


def project(directory: Path, text: str = "name: lab\nruntime: python\n", **stacks: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "Pulumi.yaml").write_text(text, encoding="utf-8")
    (directory / "__main__.py").write_text(PROGRAM)
    for name, content in stacks.items():
        (directory / f"Pulumi.{name}.yaml").write_text(content, encoding="utf-8")
    return directory


def problem(target: str | None, stack: str | None = None) -> str:
    with pytest.raises(InputError) as error:
        find_stack(target, stack)
    return str(error.value)


def in_file(tmp_path: Path, content: str) -> list[str]:
    found = find_stack(str(project(tmp_path, dev=content))).problems
    return [line.replace(str(tmp_path / "Pulumi.dev.yaml"), "FILE") for line in found]


def in_project(tmp_path: Path, content: str) -> str:
    text = problem(str(project(tmp_path, dev=content)))
    return text.replace(str(tmp_path / "Pulumi.dev.yaml"), "FILE")


# Finding


def test_a_stack_is_found_by_its_name_from_anywhere_in_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = project(tmp_path, dev="config: {}", prod="config: {}") / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    found = find_stack("prod")
    assert (found.project, found.name, found.directory) == ("lab", "prod", tmp_path)


def test_an_existing_folder_wins_over_a_stack_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(tmp_path, prod="config: {}")
    project(tmp_path / "prod", "name: inner\nruntime: python\n", only="config: {}")
    monkeypatch.chdir(tmp_path)
    assert (find_stack("prod").project, find_stack("prod").name) == ("inner", "only")


def test_a_single_stack_need_not_be_named_and_one_of_several_must(tmp_path: Path) -> None:
    assert find_stack(str(project(tmp_path / "one", dev="config: {}"))).name == "dev"
    several = str(project(tmp_path / "two", dev="config: {}", prod="config: {}"))
    assert problem(several) == "there are several stacks, name one: dev, prod"
    assert find_stack(several, "prod").name == "prod"


def test_a_stack_may_have_a_full_stop_in_its_name(tmp_path: Path) -> None:
    directory = project(tmp_path, **{"eu.v2": "config: {a: 1}"})
    assert find_stack(str(directory), "eu.v2").config == {"lab:a": 1}


def test_a_project_without_stack_files_has_a_stack_without_configuration(tmp_path: Path) -> None:
    assert find_stack(str(project(tmp_path))) == Stack(
        project="lab", name="dev", directory=tmp_path, program=tmp_path / "__main__.py", config={}
    )


def test_program_and_stack_files_may_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    project(tmp_path / "stacks", dev="config: {a: 1}")
    (tmp_path / "Pulumi.yaml").write_text("name: lab\nruntime: python\nmain: stacks\nstackConfigDir: stacks\n")
    found = find_stack(str(tmp_path))
    assert found.program == tmp_path / "stacks" / "__main__.py"
    assert found.config == {"lab:a": 1}


def test_what_is_missing_is_told_with_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert problem(str(empty)) == f"{empty}: a folder, but without a Pulumi.yaml"
    monkeypatch.chdir(empty)
    if project_above(empty) is None:
        assert problem("reserch").startswith("'reserch' is no folder, and there is no Pulumi.yaml here or above")
        assert problem(None).startswith("there is no Pulumi.yaml here or above: make one with `eksml init")
    monkeypatch.chdir(project(tmp_path / "p", research="config: {}"))
    assert problem("reserch") == "there is no stack 'reserch', did you mean 'research'?"
    assert problem("x") == "there is no stack 'x', there is research"
    (tmp_path / "p" / "__main__.py").unlink()
    assert problem("research").endswith(f"its program {tmp_path / 'p' / '__main__.py'} does not exist")


# Configuration


def test_configuration_reaches_the_program_as_the_engine_hands_it_over(tmp_path: Path) -> None:
    content = """
encryptionsalt: v1:abc=:v1:def
config:
  aws:region: us-west-2
  short: text
  lab:flag: true
  lab:number: 3
  lab:list: [1, two]
"""
    found = find_stack(str(project(tmp_path, dev=content)))
    assert found.engine_config == {
        "aws:region": "us-west-2",
        "lab:short": "text",
        "lab:flag": "true",
        "lab:number": "3",
        "lab:list": '[1, "two"]',
    }


def test_a_project_may_declare_defaults(tmp_path: Path) -> None:
    text = (
        "name: lab\nruntime: python\nconfig:\n  size: {type: integer, default: 3}\n  aws:region: {value: eu-west-1}\n"
    )
    found = find_stack(str(project(tmp_path, text, dev="config: {lab:size: 4}")))
    assert found.config == {"lab:size": 4, "aws:region": "eu-west-1"}


def test_encrypted_values_become_placeholders_and_stay_secrets(tmp_path: Path) -> None:
    content = "config: {lab:token: {secure: v1:abc}, lab:deep: {user: a, keys: [{secure: v1:x}]}, lab:open: b}"
    found = find_stack(str(project(tmp_path, dev=content)))
    assert found.config["lab:token"] == "[secret]"
    assert found.config["lab:deep"] == {"user": "a", "keys": ["[secret]"]}
    assert found.secret_keys == ("lab:token", "lab:deep")


# What is wrong with a file


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("config:\n  a: [1,\n  b: 2\n", "FILE, line 4, column 1: expected ',' or ']'"),
        ("config:\n\ta: 1\n", "FILE, line 2, column 1: found character '\\t' that cannot start any token"),
        ("config:\n  a: 1\n  a: 2\n", "FILE, line 3, column 3: 'a' stands here a second time"),
        ("- a\n- b\n", "FILE: must be a mapping of names to values"),
        ("config: [1]\n", "FILE: config: must be a mapping of names to values"),
        ("config: {1: 2}\n", "FILE: config: must be a mapping of names to values"),
        ("config: {a: !!python/object:os.system {}}\n", "FILE, line 1, column 13: could not determine a constructor"),
        ("config: &a {b: *a}\n", "FILE: not plain data: it holds itself,"),
        ("config: " + "[" * 5000, "FILE: not plain data: it holds itself, or nests too deeply"),
        ("config: {? [a, b] : c}\n", "FILE, line 1, column 12: found unhashable key"),
        ("config: {a: 2026-11-21, b: ''}\ntrue: false", "FILE: must be a mapping of names to values"),
    ],
)
def test_a_broken_file_is_told_with_the_place_of_what_is_wrong(tmp_path: Path, content: str, text: str) -> None:
    assert in_project(tmp_path, content).startswith(text)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    directory = project(tmp_path)
    (directory / "Pulumi.dev.yaml").write_bytes(b"\xff\xfe\x00")
    assert problem(str(directory)).endswith("Pulumi.dev.yaml: not text in UTF-8")
    (directory / "Pulumi.yaml").write_text("runtime: python\n")
    assert problem(str(directory)).endswith("Pulumi.yaml: name: missing, must be the project's name")
    (directory / "Pulumi.yaml").write_text("name: lab\nconfig: [a]\n")
    assert problem(str(directory)).endswith("Pulumi.yaml: config: must be a mapping of names to values")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("config: {aws:secretKey: abc}", "FILE: aws:secretKey: a secret in plain text, set it with"),
        (
            "config: {eksml:platform: {tags: {x: AKIA" + "ABCDEFGHIJKLMNOP}}}",
            "FILE: eksml:platform: tags.x: looks like an AWS access key",
        ),
        ("config: {lab:a: hf_" + "a" * 34 + "}", "FILE: lab:a: looks like a Hugging Face token"),
        ("config: {lab:a: ['-----BEGIN RSA PRIVATE " + "KEY-----']}", "FILE: lab:a: [0]: looks like a private key"),
    ],
)
def test_a_secret_in_plain_text_is_refused_without_repeating_it(tmp_path: Path, content: str, text: str) -> None:
    (told,) = in_file(tmp_path, content)
    assert told.startswith(text)
    assert "AKIAABC" not in told


def test_every_problem_of_a_file_is_told_at_once_and_beside_those_that_its_program_finds(tmp_path: Path) -> None:
    content = "confg: {}\nconfig: {eksml:platfrm: {}, aws:secretKey: abc}\n"
    told = in_file(tmp_path, content)
    assert [line.removeprefix("FILE: ").partition(",")[0] for line in told] == [
        "confg: unknown key",
        "eksml:platfrm: unknown key",
        "aws:secretKey: a secret in plain text",
    ]
    (tmp_path / "__main__.py").write_text("import pulumi\nraise pulumi.RunError('pools: wrong')\n")
    with pytest.raises(InputError) as error:
        record(find_stack(str(tmp_path)))
    assert str(error.value).splitlines()[-1] == "pools: wrong"
    assert len(str(error.value).splitlines()) == 4


# Settings for one run


def stack(tmp_path: Path) -> Stack:
    content = "config: {eksml:platform: {profile: research, pools: {train: {instanceTypes: [a, b]}}}}"
    return find_stack(str(project(tmp_path, dev=content)))


def test_settings_are_laid_over_the_file_for_one_run(tmp_path: Path) -> None:
    settings = {"pools.train.size": 4, "pools.train.instanceTypes[1]": "c", 'tags["a.b/c"]': "d"}
    changed = stack(tmp_path).with_settings(settings)
    assert changed.config["eksml:platform"] == {
        "profile": "research",
        "pools": {"train": {"instanceTypes": ["a", "c"], "size": 4}},
        "tags": {"a.b/c": "d"},
    }
    assert stack(tmp_path).config["eksml:platform"]["pools"] == {"train": {"instanceTypes": ["a", "b"]}}


def test_lists_grow_and_come_into_being_as_with_pulumi_config_set(tmp_path: Path) -> None:
    settings = {"pools.train.instanceTypes[2]": "c", "cluster.publicAccessCidrs[0]": "203.0.113.0/24"}
    changed = stack(tmp_path).with_settings(settings).config["eksml:platform"]
    assert changed["pools"]["train"]["instanceTypes"] == ["a", "b", "c"]
    assert changed["cluster"] == {"publicAccessCidrs": ["203.0.113.0/24"]}


def test_words_that_only_some_readers_of_yaml_take_for_true_stay_words(tmp_path: Path) -> None:
    found = find_stack(str(project(tmp_path, dev="config: {a: yes, b: off, c: true, d: False}")))
    assert found.config == {"lab:a": "yes", "lab:b": "off", "lab:c": True, "lab:d": False}


@pytest.mark.parametrize("content", ["config: {}", "config: {eksml:platform: hello}"])
def test_settings_need_a_platform_to_be_set_in(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match="--set: the stack dev has no mapping eksml:platform to set something in"):
        find_stack(str(project(tmp_path, dev=content))).with_settings({"name": "x"})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("pools..size", "--set pools..size: 'pools..size' is not a path like pools.train.size"),
        ("", "--set : '' is not a path like pools.train.size"),
        ("profile.x", "--set profile.x: there is no x to set"),
        ("profile.x.y", "--set profile.x.y: there is no x to set something in"),
        ("pools.train.instanceTypes[3]", "--set pools.train.instanceTypes[3]: there is no 3 to set"),
        ("cluster.publicAccessCidrs[1]", "--set cluster.publicAccessCidrs[1]: there is no 1 to set"),
        ("pools[0]", "--set pools[0]: there is no 0 to set"),
    ],
)
def test_a_path_that_leads_nowhere_is_told(tmp_path: Path, path: str, text: str) -> None:
    with pytest.raises(InputError) as error:
        stack(tmp_path).with_settings({path: 1})
    assert str(error.value) == text


def test_a_path_may_say_that_it_is_one_of_the_platform(tmp_path: Path) -> None:
    assert stack(tmp_path).with_settings({"eksml:platform.name": "x"}).config["eksml:platform"]["name"] == "x"
    blueprint = find_stack(str(BLUEPRINTS / "inference" / "vllm"))
    settings = {"eksml:platform.serving.kserve": {}, "contextLength": 512}
    changed = blueprint.on_platform().with_settings(settings)
    assert changed.config["eksml:workload"]["contextLength"] == 512
    assert changed.platform
    assert changed.platform.config["eksml:platform"] == {"profile": "research", "serving": {"kserve": {}}}
    with pytest.raises(InputError, match="kserve: research runs on no platform"):
        blueprint.with_settings(settings)


def workload_on(tmp_path: Path, platform: str, needed: str) -> Stack:
    """A stack of a workload below the project of its platform."""
    project(tmp_path, dev=f"config: {{eksml:platform: {platform}}}")
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: job\nruntime: python\n")
    (folder / "__main__.py").write_text("")
    config = f"{{eksml:platformStack: organization/lab/dev, eksml:platform: {needed}, eksml:workload: {{}}}}"
    (folder / "Pulumi.dev.yaml").write_text(f"config: {config}")
    return find_stack(str(folder))


def test_what_a_workload_needs_of_its_platform_is_laid_over_it_and_told(tmp_path: Path) -> None:
    own = "{profile: research, serving: {keda: {}, kserve: {replicas: 2}}, name: mine}"
    found = workload_on(tmp_path, own, "{serving: {kserve: {}, keda: {}, argo: {}}, name: yours, tags: {a: b}}")
    found = found.on_platform()
    assert found.lent == ("serving.argo", "name", "tags.a")
    assert found.platform
    assert found.platform.config["eksml:platform"] == {
        "profile": "research",
        "serving": {"keda": {}, "kserve": {"replicas": 2}, "argo": {}},
        "name": "yours",
        "tags": {"a": "b"},
    }


def test_a_platform_that_has_all_that_is_needed_stays_as_it_is(tmp_path: Path) -> None:
    found = workload_on(tmp_path, "{profile: research, serving: {kserve: {}}}", "{serving: {kserve: {}}}").on_platform()
    assert found.platform
    assert (found.lent, found.platform) == ((), find_stack(str(tmp_path)))


@pytest.mark.parametrize("needed", ["hello", "[]", "{serving: 3}", "null"])
def test_what_is_no_mapping_is_needed_of_no_platform(tmp_path: Path, needed: str) -> None:
    found = workload_on(tmp_path, "hello", needed).on_platform()
    assert found.platform
    assert found.platform.config["eksml:platform"] == "hello"
