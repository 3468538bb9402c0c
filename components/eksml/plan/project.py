"""Finds a Pulumi project and reads its stacks, as the Pulumi CLI does, offline.

Secrets in a stack file stay closed: an encrypted value is never decrypted, a placeholder stands for it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from eksml.config_keys import KUBECONFIG, PLATFORM, PLATFORM_STACK, SECRETS, WORKLOAD
from eksml.errors import InputError, listed, nearest
from eksml.paths import parse_path, path_text
from eksml.plan.model import SECRET

PROJECT_FILES = ("Pulumi.yaml", "Pulumi.yml")

_STACK_FILE_KEYS = ("config", "encryptedkey", "encryptionsalt", "environment", "secretsprovider")
_OWN_KEYS = (PLATFORM, PLATFORM_STACK, WORKLOAD, *SECRETS)
_PROVIDER_SECRETS = ("aws:secretKey", "aws:token")

# What looks like a secret wherever it stands.
_SECRET_PATTERNS = {
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----": "a private key",
    r"\bhf_[A-Za-z0-9]{30,}\b": "a Hugging Face token",
    r"\bgh[pousr]_[A-Za-z0-9]{30,}\b": "a GitHub token",
    r"\b(AKIA|ASIA)[A-Z0-9]{16}\b": "an AWS access key",
}


@dataclass(frozen=True)
class Project:
    """A Pulumi project: what its Pulumi.yaml says."""

    file: Path
    name: str
    program: Path
    stack_directory: Path
    config: Mapping[str, Any]
    """Configuration that every stack has unless its file says otherwise."""


@dataclass(frozen=True)
class Stack:
    """One stack of a Pulumi project: its program and its configuration, in which a placeholder stands for a secret."""

    project: str
    name: str
    directory: Path
    program: Path
    config: Mapping[str, Any]
    secret_keys: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """What is wrong with the stack file apart from what its program will say."""
    platform: "Stack | None" = None
    """The stack of the platform that it runs on, where it is a workload's."""
    lent: tuple[str, ...] = ()
    """The settings that it gives its platform for the view offline, and that the platform's own stack file lacks."""

    @property
    def engine_config(self) -> dict[str, str]:
        """The configuration as the engine hands it to a program."""
        return {key: _as_engine_writes(value) for key, value in self.config.items()}

    def with_settings(self, settings: Mapping[str, Any]) -> "Stack":
        """The same stack, with values set at paths below `eksml:platform`, or `eksml:workload` where that is there.

        A path that begins with `eksml:platform.` is one of the platform, also where a workload runs on it.

        Raises InputError where neither is, or a workload runs on no platform.
        """
        if not settings:
            return self
        key = WORKLOAD if WORKLOAD in self.config else PLATFORM
        whole = f"{PLATFORM}."
        of_platform = {path.removeprefix(whole): value for path, value in settings.items() if path.startswith(whole)}
        own = {path: value for path, value in settings.items() if not path.startswith(whole)}
        if of_platform and key == WORKLOAD:
            if self.platform is None:
                raise InputError(f"--set {whole}{next(iter(of_platform))}: {self.name} runs on no platform")
            return replace(self, platform=self.platform.with_settings(of_platform)).with_settings(own)
        settings = {**own, **of_platform}
        changed = deepcopy(self.config.get(key))
        if not isinstance(changed, dict):
            raise InputError(f"--set: the stack {self.name} has no mapping {key} to set something in")
        for path, value in settings.items():
            _set(changed, path, value)
        return replace(self, config={**self.config, key: changed})

    def on_platform(self, wanted: str | None = None) -> "Stack":
        """The same stack with that of the platform that it runs on, or of another one of the same project.

        What stands at its own `eksml:platform` is what the platform has to have: it is laid over that of the platform.
        With a kubeconfig it runs on none, whatever its project says for its other stacks.

        Raises InputError where the platform's project does not lie above, or a platform is wanted of what has none.
        """
        given = self.config.get(PLATFORM_STACK)
        if given is None or KUBECONFIG in self.config:
            if wanted:
                reason = f"it has no {PLATFORM_STACK}" if given is None else f"it has {KUBECONFIG}"
                raise InputError(f"--platform {wanted}: {self.name} runs on no platform: {reason}")
            return self
        *organization, project, name = str(given).split("/")
        platform = _stack(_project_of_name(self.directory, project, str(given)), wanted or name)
        reference = "/".join([*organization, project, platform.name])
        own, needed = platform.config.get(PLATFORM), self.config.get(PLATFORM)
        # What is no mapping, the platform itself will refuse.
        lent = tuple(_lacking(own, needed)) if isinstance(own, dict) and isinstance(needed, dict) else ()
        if lent:
            platform = replace(platform, config={**platform.config, PLATFORM: _merged(own, needed)})
        return replace(self, platform=platform, lent=lent, config={**self.config, PLATFORM_STACK: reference})


def find_stack(target: str | None, stack_name: str | None = None) -> Stack:
    """The stack that a command means.

    Arguments:
        target: a folder with a Pulumi project, or a stack's name in the project of the working directory; an existing
            folder wins. None: the project of the working directory.
        stack_name: the stack's name where the target is a folder; may be left out where there is only one.

    Raises InputError, with the names that exist.
    """
    if target is not None and Path(target).is_dir():
        directory = Path(target).resolve()
        project_file = next((directory / name for name in PROJECT_FILES if (directory / name).is_file()), None)
        if project_file is None:
            raise InputError(f"{target}: a folder, but without a Pulumi.yaml")
    else:
        project_file = project_above(Path.cwd())
        stack_name = target or stack_name
        if project_file is None:
            wanted = f"'{target}' is no folder, and there" if target else "there"
            raise InputError(
                f"{wanted} is no Pulumi.yaml here or above: make one with `eksml init NAME --profile PROFILE`"
            )
    return _stack(project_file, stack_name)


def read_project(file: Path) -> Project:
    """The project of a Pulumi.yaml. Raises InputError where it is none."""
    content = _mapping(read_yaml(file), str(file))
    name = content.get("name")
    if not isinstance(name, str):
        raise InputError(f"{file}: name: missing, must be the project's name")
    declared = _mapping(content.get("config") or {}, f"{file}: config")
    return Project(
        file=file,
        name=name,
        program=file.parent / str(content.get("main", ".")),
        stack_directory=file.parent / str(content.get("stackConfigDir", ".")),
        config={
            key: value.get("value", value.get("default")) if isinstance(value, dict) else value
            for key, value in declared.items()
        },
    )


def read_yaml(file: Path) -> Any:
    """The content of a YAML file. Raises InputError with the place of what is wrong."""
    try:
        return parse_yaml(file.read_text(encoding="utf-8"), str(file))
    except FileNotFoundError:
        raise InputError(f"{file}: there is no such file") from None
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{file}: not text in UTF-8") from None


def parse_yaml(text: str, origin: str) -> Any:
    """Plain data from YAML; a date stays the text that it is.

    Raises InputError that names the origin and the place of what is wrong: a key that stands twice, too.
    """
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506
        # An alias may stand inside what it stands for, which no configuration can hold.
        json.dumps(content)
        return content
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError(f"{origin}{place}: {error.problem}") from None
    except (RecursionError, TypeError, ValueError, yaml.YAMLError):
        raise InputError(f"{origin}: not plain data: it holds itself, or nests too deeply") from None


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"'{key}' stands here a second time", problem_mark=key_node.start_mark
                )
            seen.add(key) if isinstance(key, str) else None
        return super().construct_mapping(node, deep)


# Only true and false are so to every reader of YAML; yes and on are words to some, the Pulumi CLI perhaps.
_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|True|TRUE|false|False|FALSE)$"), "tTfF")

# YAML 1.1 reads 2024-01-01 as a date and !!binary as bytes, neither of which a configuration can hold.
for _tag in ("timestamp", "binary"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", yaml.SafeLoader.construct_yaml_str)


def project_above(directory: Path) -> Path | None:
    """The nearest project file in a folder or above it."""
    candidates = (folder / name for folder in (directory, *directory.parents) for name in PROJECT_FILES)
    return next((path for path in candidates if path.is_file()), None)


def _stack(project_file: Path, stack_name: str | None) -> Stack:
    project = read_project(project_file)
    stack_name = _existing(stack_name, project)
    config, problems = _config(project, stack_name)
    return Stack(
        project=project.name,
        name=stack_name,
        directory=project_file.parent,
        program=_program(project),
        config={key: _closed(value) for key, value in config.items()},
        secret_keys=tuple(key for key, value in config.items() if _holds_secret(value)),
        problems=tuple(problems),
    )


def _project_of_name(directory: Path, name: str, reference: str) -> Path:
    """The file of a project above a folder, by the project's name."""
    files = (folder / file for folder in directory.parents for file in PROJECT_FILES)
    for file in files:
        if file.is_file() and read_project(file).name == name:
            return file
    raise InputError(f"{PLATFORM_STACK}: {reference}: there is no project '{name}' in a folder above {directory}")


def stacks_of(directory: Path) -> list[str]:
    """The names of the stacks that have a file in a folder."""
    return sorted(path.stem.removeprefix("Pulumi.") for path in directory.glob("Pulumi.*.y*ml"))


def _existing(stack_name: str | None, project: Project) -> str:
    stacks = stacks_of(project.stack_directory)
    if stack_name is None and len(stacks) > 1:
        usual = str(project.config.get(PLATFORM_STACK)).rpartition("/")[2]
        if usual in stacks:
            return usual
        raise InputError(f"there are several stacks, name one: {', '.join(stacks)}")
    if stack_name is not None and stacks and stack_name not in stacks:
        raise InputError(
            f"there is no stack '{stack_name}'{nearest(stack_name, stacks) or f', there is {listed(stacks)}'}"
        )
    return stack_name or next(iter(stacks), "dev")


def _program(project: Project) -> Path:
    program = project.program / "__main__.py" if project.program.is_dir() else project.program
    if not program.is_file():
        raise InputError(f"{project.file}: its program {program} does not exist")
    return program


def _config(project: Project, stack: str) -> tuple[dict[str, Any], list[str]]:
    file = stack_file(project.stack_directory, stack)
    content = _mapping(read_yaml(file) or {}, str(file)) if file else {}
    given = _mapping(content.get("config") or {}, f"{file}: config")
    config = {
        key if ":" in key else f"{project.name}:{key}": value
        for key, value in {**project.config, **given}.items()
        if value is not None
    }
    unknown = [key for key in content if key not in _STACK_FILE_KEYS]
    unknown += [key for key in config if key.startswith("eksml:") and key not in _OWN_KEYS]
    problems = [f"{key}: unknown key{nearest(key, (*_STACK_FILE_KEYS, *_OWN_KEYS))}" for key in unknown]
    return config, [f"{file or project.file}: {problem}" for problem in (*problems, *_exposed(config))]


def stack_file(directory: Path, stack: str) -> Path | None:
    """The file of a stack's configuration, where there is one."""
    paths = (directory / f"Pulumi.{stack}{suffix}" for suffix in (".yaml", ".yml"))
    return next((path for path in paths if path.is_file()), None)


def _mapping(value: Any, origin: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise InputError(f"{origin}: must be a mapping of names to values")
    return value


def _exposed(config: Mapping[str, Any]) -> Iterator[str]:
    for key, value in config.items():
        if key in _PROVIDER_SECRETS and not _is_secret(value):
            yield f"{key}: a secret in plain text, set it with `pulumi config set --secret {key}`"
        for path, text in _texts(value, ()):
            for pattern, what in _SECRET_PATTERNS.items():
                if re.search(pattern, text):
                    place = ": ".join(filter(None, (key, path_text(path))))
                    yield f"{place}: looks like {what}: set it with `pulumi config set --secret`"


def _texts(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict) and not _is_secret(value):
        for key, item in value.items():
            yield from _texts(item, (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"} and isinstance(value["secure"], str)


def _holds_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return _is_secret(value) or any(_holds_secret(item) for item in value.values())
    return isinstance(value, list) and any(_holds_secret(item) for item in value)


def _closed(value: Any) -> Any:
    if _is_secret(value):
        return SECRET
    if isinstance(value, dict):
        return {str(key): _closed(item) for key, item in value.items()}
    return [_closed(item) for item in value] if isinstance(value, list) else value


def _as_engine_writes(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _merged(below: Any, above: Any) -> Any:
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    return {**below, **{key: _merged(below.get(key), value) for key, value in above.items()}}


def _lacking(own: Any, needed: Mapping[str, Any], way: tuple[str, ...] = ()) -> Iterator[str]:
    """The paths of what is needed and not there."""
    for key, value in needed.items():
        path, there = (*way, key), own.get(key) if isinstance(own, Mapping) else None
        if isinstance(value, Mapping) and value:
            yield from _lacking(there, value, path)
        elif there is None or not (isinstance(value, Mapping) or there == value):
            yield path_text(path)


def _set(settings: Any, path: str, value: Any) -> None:
    try:
        *way, last = parse_path(path)
    except ValueError as error:
        raise InputError(f"--set {path}: {error}") from None
    holder = settings
    for step, following in pairwise([*way, last]):
        empty: Any = [] if isinstance(following, int) else {}
        if isinstance(holder, dict) and isinstance(step, str):
            holder = holder.setdefault(step, empty)
        elif isinstance(holder, list) and isinstance(step, int) and step <= len(holder):
            holder += [empty] if step == len(holder) else []
            holder = holder[step]
        else:
            raise InputError(f"--set {path}: there is no {step} to set something in")
    if isinstance(holder, dict) and isinstance(last, str):
        holder[last] = value
    elif isinstance(holder, list) and isinstance(last, int) and last <= len(holder):
        holder[last : last + 1] = [value]
    else:
        raise InputError(f"--set {path}: there is no {last} to set")
