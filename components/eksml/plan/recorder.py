"""Records a Plan: runs a real Pulumi program in this process, against a monitor that writes down what it registers.

Nothing in the program depends on being recorded; the engine runs the same files.
"""

import asyncio
import contextvars
import re
import runpy
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Mapping
from contextlib import chdir, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import pulumi
from google.protobuf import empty_pb2, struct_pb2
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import config as pulumi_config
from pulumi.runtime import settings as pulumi_settings
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.rpc import UNKNOWN
from pulumi.runtime.stack import run_in_stack

from eksml.errors import InputError
from eksml.plan import believable
from eksml.plan.canonical import CLUSTER, REMOTE_TYPES, canonical
from eksml.plan.model import SECRET, STACK_REFERENCE_TYPE, STACK_TYPE, Plan, Resource
from eksml.plan.project import Stack
from eksml.plan.spared import spared_work

# How the SDK marks values that are more than plain data. See pulumi.runtime.rpc.
_MARK = "4dabf18193072939515e22adb298388d"
_SECRET_MARK = "1b47061264138c4ac30d75fd1eb44270"
_RESOURCE_MARK = "5cf8f73096256a8f31e491e813e4eb8e"

_FEATURES = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_PARAMETERIZATION,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
)


class RecordingError(InputError):
    """A program that cannot be recorded: it fails, or uses what has no believable outputs."""


def record(stack: Stack, platform: Plan | None = None) -> Plan:
    """The Plan of a stack, from its own program. Raises RecordingError with every reason at once.

    Arguments:
        stack: the stack.
        platform: the Plan of the platform that it runs on, where that is recorded already.
    """
    main = stack.program

    def program() -> None:
        runpy.run_path(str(main), run_name="__main__")

    if platform is None and stack.platform:
        platform = record(stack.platform)
    with _as_engine_runs(main.parent):
        return record_program(program, stack, platform)


def record_program(program: Callable[[], Any], stack: Stack, platform: Plan | None = None) -> Plan:
    """The Plan of a function that registers resources, as if it were the stack's program, on a platform."""
    return contextvars.Context().run(_record, program, stack, platform)


def _record(program: Callable[[], Any], stack: Stack, platform: Plan | None) -> Plan:
    monitor = _Monitor(stack, platform)
    pulumi_config.set_all_config(stack.engine_config, list(stack.secret_keys))
    pulumi_settings.configure(
        pulumi_settings.Settings(
            project=stack.project,
            stack=stack.name,
            monitor=monitor,
            dry_run=True,
            organization="organization",
            root_directory=str(stack.directory),
        )
    )

    async def watched() -> None:
        pulumi.runtime.register_stack_transformation(monitor.judge_provider)
        program()
        await _settle()

    # Not asyncio.run, which would leave the thread without the loop that it may have had before.
    loop = asyncio.new_event_loop()
    try:
        with spared_work():
            loop.run_until_complete(run_in_stack(watched))
    except InputError:
        raise
    except pulumi.RunError as error:
        raise RecordingError("\n".join([*stack.problems, str(error)])) from None
    except (Exception, SystemExit) as error:
        raise RecordingError("\n".join([*stack.problems, *monitor.problems(), _failure(error, stack)])) from error
    finally:
        _close(loop)
    if problems := [*stack.problems, *monitor.problems()]:
        raise RecordingError("\n".join(problems))
    return monitor.plan()


async def _settle() -> None:
    """Waits for every output that is under way.

    The SDK waits for one after the other and looks through all of them each time, which takes minutes for thousands of
    resources. What fails stays in its list, and the SDK tells of it; what waits for such a resource waits for ever.
    """
    outputs, calls = pulumi_settings.SETTINGS.outputs, pulumi_settings.SETTINGS.rpc_manager
    done: set[Any] = set()
    while (pending := set(outputs) - done) and calls.unhandled_exception is None:
        done |= (await asyncio.wait(pending, timeout=1))[0]


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """Closes a loop, and ends what still waits for something that failed."""
    if waiting := asyncio.all_tasks(loop):
        for task in waiting:
            task.cancel()
        loop.run_until_complete(asyncio.wait(waiting))
    loop.close()


@contextmanager
def _as_engine_runs(folder: Path) -> Generator[None]:
    """The surroundings that a program in a folder has until its last resource is registered, and what it left, gone."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        with chdir(folder), redirect_stdout(sys.stderr):
            yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if _is_own(getattr(sys.modules[name], "__file__", None), folder):
                del sys.modules[name]


def _is_own(file: str | None, folder: Path) -> bool:
    """Whether a module is the program's own: in its folder, but not in an environment that lies there."""
    path = Path(file or "").parts
    return path[: len(folder.parts)] == folder.parts and "site-packages" not in path


def _failure(error: BaseException, stack: Stack) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename, stack.directory)]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"the program failed{place}: {type(error).__name__}: {error}"


class _Monitor:
    """Answers the SDK's calls as the engine does in a preview, and keeps what they register."""

    def __init__(self, stack: Stack, platform: Plan | None = None):
        self._stack = stack
        self._platform = platform
        self._region = str(stack.config.get("aws:region", "us-west-2"))
        self._lock = threading.Lock()
        self._resources: dict[str, Resource] = {}
        self._hidden: dict[str, dict[str, Any]] = {}
        self._problems: set[str] = set()
        self._exports: dict[str, Any] = {}

    def plan(self) -> Plan:
        """What was recorded so far."""
        return Plan.of(self._stack.name, canonical(self._resources.values()), self._exports, self._platform)

    def problems(self) -> list[str]:
        """Why the recording cannot be trusted; empty if it can."""
        return sorted(self._problems)

    def judge_provider(self, args: pulumi.ResourceTransformationArgs) -> None:
        """Finds a provider of another package, which the SDK would pass over in silence for the default one."""
        given, wanted = args.opts.provider, args.type_.partition(":")[0]
        if isinstance(args.resource, pulumi.CustomResource) and given is not None and given.package != wanted:
            place = f"{args.type_} '{args.name}'"
            self._problems.add(f"{place} uses a provider of {given.package}: give it one of {wanted}")

    # What follows is the interface of the engine's resource monitor, in its spelling.

    def SupportsFeature(self, request: Any) -> Any:  # noqa: N802
        return resource_pb2.SupportsFeatureResponse(
            hasSupport=request.id in ("secrets", "resourceReferences", "aliasSpecs", "replaceWith")
        )

    def GetDeploymentInfo(self, _request: Any) -> Any:  # noqa: N802
        return resource_pb2.DeploymentInfo(supportedFeatures=_FEATURES)

    def SignalAndWaitForShutdown(self, _request: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def RegisterPackage(self, request: Any) -> Any:  # noqa: N802
        return resource_pb2.RegisterPackageResponse(ref=request.name)

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        resource = self._registered(request)
        known, response = plain(request.object), struct_pb2.Struct()
        response.CopyFrom(request.object)
        resource_id = ""
        with self._lock:
            self._judge(resource, request)
            self._resources[resource.urn] = resource
            if request.remote and resource.type == CLUSTER:
                inner_urn, inner_state, outputs = believable.cluster_outputs(resource.urn, known, self._region)
                self._hide(inner_urn, inner_state, resource.urn)
                response.update(
                    outputs | {"eksCluster": {_MARK: _RESOURCE_MARK, "urn": inner_urn, "id": inner_state["id"]}}
                )
            elif request.custom and believable.is_known_type(resource.type):
                resource_id, outputs = believable.outputs_of(resource.type, resource.urn, known, self._region)
                response.update(outputs)
        return resource_pb2.RegisterResourceResponse(urn=resource.urn, id=resource_id, object=response)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        resource = self._resources.get(request.urn)
        if resource is not None and resource.type == STACK_TYPE:
            self._exports = shown(request.outputs)
            self._find_unknown(self._exports, "export", {})
        return empty_pb2.Empty()

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        if request.type == STACK_REFERENCE_TYPE and self._platform is not None:
            return self._read_platform(request, self._platform)
        self._problems.add(f"{request.type} '{request.name}' is read from the cloud, which a recording cannot do")
        return resource_pb2.ReadResourceResponse(urn=self._urn(request), properties=request.properties)

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        arguments = plain(request.args)
        if request.tok == "pulumi:pulumi:getResource":
            result: dict[str, Any] | None = self._hidden.get(arguments["urn"])
        else:
            result = believable.function_outputs(request.tok, arguments, self._region)
        if result is None:
            self._problems.add(f"function {request.tok} has no believable result: add it to eksml.plan.believable")
        response = resource_pb2.ResourceInvokeResponse()
        # "return" cannot be written as an attribute in Python.
        getattr(response, "return").update(result or {})
        return response

    def Call(self, request: Any) -> Any:  # noqa: N802
        self._problems.add(f"method {request.tok} has no believable result: add it to eksml.plan.believable")
        return resource_pb2.ResourceInvokeResponse()

    def _registered(self, request: Any) -> Resource:
        options = {
            "additionalSecretOutputs": sorted(request.additionalSecretOutputs),
            "customTimeouts": _timeouts(request.customTimeouts),
            "deletedWith": request.deletedWith,
            "ignoreChanges": list(request.ignoreChanges),
            "protect": request.protect,
            "replaceOnChanges": list(request.replaceOnChanges),
            "replaceWith": list(request.replace_with),
            "retainOnDelete": request.retainOnDelete,
        }
        return Resource(
            urn=self._urn(request),
            type=request.type,
            name=request.name,
            parent=request.parent or None,
            is_custom=request.custom,
            provider=request.provider.rpartition("::")[0] or None,
            inputs=shown(request.object),
            dependencies=tuple(request.dependencies),
            property_dependencies={key: tuple(value.urns) for key, value in request.propertyDependencies.items()},
            options={key: value for key, value in options.items() if value},
            aliases=tuple(_alias(alias) for alias in request.aliases),
        )

    def _read_platform(self, request: Any, platform: Plan) -> Any:
        """What a platform exports, as its recorded program did."""
        urn = self._urn(request)
        with self._lock:
            name = {"name": plain(request.properties)["name"]}
            self._resources[urn] = Resource(urn, request.type, request.name, None, True, inputs=name)
        properties = struct_pb2.Struct()
        secrets = [export for export, value in platform.exports.items() if value == SECRET]
        closed = {export: {_MARK: _SECRET_MARK, "value": SECRET} for export in secrets}
        properties.update({**name, "outputs": {**platform.exports, **closed}, "secretOutputNames": secrets})
        return resource_pb2.ReadResourceResponse(urn=urn, properties=properties)

    def _urn(self, request: Any) -> str:
        parent_type = request.parent.split("::")[2] if request.parent else STACK_TYPE
        chain = request.type if parent_type == STACK_TYPE else f"{parent_type}${request.type}"
        return f"urn:pulumi:{self._stack.name}::{self._stack.project}::{chain}::{request.name}"

    def _hide(self, urn: str, state: dict[str, Any], parent: str) -> None:
        self._hidden[urn] = {"urn": urn, "id": state["id"], "state": state}
        self._resources[urn] = Resource(
            urn, urn.split("::")[2].rpartition("$")[2], urn.rpartition("::")[2], parent, True
        )

    def _judge(self, resource: Resource, request: Any) -> None:
        place = f"{resource.type} '{resource.name}'"
        if resource.urn in self._resources:
            self._problems.add(f"{place} is registered twice, under the same parent: give one of them another name")
        made_by_provider = resource.is_custom or request.remote
        is_known = believable.is_known_type(resource.type) or resource.type in REMOTE_TYPES
        if made_by_provider and resource.type != STACK_TYPE and not is_known:
            self._problems.add(f"{place} has no believable outputs: add the type to eksml.plan.believable")
        self._find_unknown(resource.inputs, place, resource.property_dependencies)

    def _find_unknown(self, values: Mapping[str, Any], place: str, sources: Mapping[str, tuple[str, ...]]) -> None:
        for key, value in values.items():
            if _holds_unknown(value):
                types = {self._resources[urn].type for urn in sources.get(key, ()) if urn in self._resources}
                source = f", an output of {' or '.join(sorted(types))}" if types else ""
                self._problems.add(f"{place}: '{key}' is not known offline{source}: add it to eksml.plan.believable")


def plain(message: struct_pb2.Struct) -> dict[str, Any]:
    """What the SDK sent as plain data, secrets opened."""
    return _plain(MessageToDict(message), lambda secret: _plain(secret["value"], None))


def shown(message: struct_pb2.Struct) -> dict[str, Any]:
    """What the SDK sent as plain data to show: secrets stay closed."""
    return _plain(MessageToDict(message), lambda _: SECRET)


def _plain(value: Any, open_secret: Callable[[Any], Any] | None) -> Any:
    if isinstance(value, dict):
        mark = value.get(_MARK)
        if mark == _SECRET_MARK:
            return open_secret(value) if open_secret else _plain(value["value"], None)
        if mark == _RESOURCE_MARK:
            return value["urn"]
        # Sorted, for the messages of the SDK have no order.
        return {key: _plain(item, open_secret) for key, item in sorted(value.items()) if key != _MARK}
    if isinstance(value, list):
        return [_plain(item, open_secret) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _holds_unknown(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_holds_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(_holds_unknown(item) for item in value)
    return isinstance(value, str) and UNKNOWN in value


def _alias(alias: Any) -> str:
    """A former URN, or what of the URN was different."""
    former = MessageToDict(alias.spec)
    return alias.urn or ", ".join(f"{key}: {former[key]}" for key in sorted(former) if former[key])


def _timeouts(timeouts: Any) -> dict[str, int]:
    """Time-outs in seconds, as the engine writes them."""
    given = {name: getattr(timeouts, name) for name in ("create", "update", "delete")}
    return {name: _seconds(text) for name, text in given.items() if text}


def _seconds(text: str) -> int:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", text))
