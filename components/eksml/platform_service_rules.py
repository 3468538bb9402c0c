"""What the services of a platform, for tracking, notebooks, measuring and costs, ask of its other parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from eksml.cluster.kubeconfig_cluster import KubeconfigClusterSpec
from eksml.errors import Problem
from eksml.network.entry import entry_problems, login_problems
from eksml.network.vpc import NatGateways, NewVpcSpec
from eksml.nodes.schedule import schedule_problems
from eksml.notebooks.jupyterhub import jupyterhub_problems
from eksml.observability.alerts import objective_problems, owner_problems
from eksml.observability.observability import ObservabilitySpec
from eksml.paths import Path
from eksml.platform_measuring import measured_servers
from eksml.serving.model_source import BucketSource, HubSource
from eksml.tracking.mlflow_spec import MlflowEntryAuthentication, MlflowSpec, mlflow_problems
from eksml.tracking.tensorboard import tensor_board_problems
from eksml.tracking.weights_and_biases import weights_and_biases_problems

if TYPE_CHECKING:
    from eksml.platform_settings import PlatformSpec


def service_problems(spec: PlatformSpec) -> Iterator[Problem]:
    """The problems of all services."""
    yield from _entry_problems(spec)
    yield from _tracking_problems(spec)
    yield from _notebook_problems(spec)
    yield from _alert_problems(spec)
    yield from _schedule_problems(spec)
    yield from _aws_problems(spec)
    yield from _way_out_problems(spec)


def _entry_problems(spec: PlatformSpec) -> Iterator[Problem]:
    if spec.gateway and spec.gateway.entry:
        hosts = {name: team.gateway.host for name, team in spec.teams.items() if team.gateway and team.gateway.host}
        yield from entry_problems(spec.gateway.entry, region=spec.region, network=spec.network, team_hosts=hosts)


def _tracking_problems(spec: PlatformSpec) -> Iterator[Problem]:
    if spec.tracking is None:
        return
    path: Path = ("tracking",)
    if spec.tracking.mlflow:
        yield from _mlflow_problems(spec, spec.tracking.mlflow)
    if spec.tracking.weights_and_biases:
        for problem in weights_and_biases_problems(spec.tracking.weights_and_biases, spec.teams):
            yield Problem((*path, "weightsAndBiases", *problem.path), problem.text, ("teams",))
    boards = tensor_board_problems(
        spec.tracking.tensor_boards,
        spec.teams,
        has_bucket=_has_bucket(spec),
        mounts_buckets=bool(spec.storage and spec.storage.bucket_mounts),
    )
    yield from (Problem((*path, "tensorBoards", *each.path), each.text, ("teams",)) for each in boards)


def _mlflow_problems(spec: PlatformSpec, mlflow: MlflowSpec) -> Iterator[Problem]:
    path: Path = ("tracking", "mlflow")
    entry = spec.gateway.entry if spec.gateway else None
    found = mlflow_problems(mlflow, has_bucket=_has_bucket(spec), has_entry=entry is not None, teams=spec.teams)
    # Of an entry that is wrong itself, it is not told that it is missing.
    yield from (Problem((*path, *each.path), each.text, ("gateway",)) for each in found)
    if isinstance(mlflow.authentication, MlflowEntryAuthentication) and entry:
        yield from login_problems((*path, "authentication"), entry, spec.network)


def _notebook_problems(spec: PlatformSpec) -> Iterator[Problem]:
    if spec.notebooks:
        found = jupyterhub_problems(
            spec.notebooks,
            spec.pools,
            teams=list(spec.teams),
            has_efs=bool(spec.storage and spec.storage.efs),
            has_entry=bool(spec.gateway and spec.gateway.entry),
            is_protected=bool(getattr(spec.cluster, "deletion_protection", False)),
        )
        # Of a pool that is wrong itself, what is missing in it is not told.
        yield from (Problem(("notebooks", *each.path), each.text, ("pools",)) for each in found)


def _alert_problems(spec: PlatformSpec) -> Iterator[Problem]:
    alerts = spec.observability.alerts if spec.observability else None
    if alerts:
        yield from owner_problems({name: team.owner for name, team in spec.teams.items()})
        yield from objective_problems(alerts, measured_servers(spec))


def _schedule_problems(spec: PlatformSpec) -> Iterator[Problem]:
    if spec.schedule:
        found = schedule_problems(
            spec.schedule,
            managed_pools=spec.managed_pools,
            karpenter_pools=tuple(spec.karpenter_pools),
            is_protected=bool(getattr(spec.cluster, "deletion_protection", False)),
        )
        yield from (problem.below(("schedule",)) for problem in found)


def _aws_problems(spec: PlatformSpec) -> Iterator[Problem]:
    """What is made in AWS is not to be had on a cluster by its kubeconfig."""
    if not isinstance(spec.cluster, KubeconfigClusterSpec):
        return
    given: list[Path] = [("observability", *each.split(".")) for each in _aws_settings(spec.observability)]
    given += [("tracking", "mlflow")] if spec.mlflow else []
    given += [(setting,) for setting in ("budget", "schedule") if getattr(spec, setting)]
    for path in given:
        yield Problem(path, "given, but a cluster by its kubeconfig gets nothing in AWS: set it to null")


def _aws_settings(observability: ObservabilitySpec | None) -> Iterator[str]:
    return observability.uses_aws if observability else iter(())


def _way_out_problems(spec: PlatformSpec) -> Iterator[Problem]:
    """What talks to the internet has a way there."""
    if not (isinstance(spec.network, NewVpcSpec) and spec.network.nat_gateways is NatGateways.NONE):
        return
    alerts = spec.observability.alerts if spec.observability else None
    grafana = spec.observability.grafana if spec.observability else None
    given: list[tuple[Path, bool]] = [
        (("tracking", "weightsAndBiases"), bool(spec.tracking and spec.tracking.weights_and_biases)),
        (("notebooks", "authentication"), bool(spec.notebooks and spec.notebooks.authentication.kind != "dummy")),
        (("observability", "alerts", "receivers"), alerts is not None),
        (("observability", "grafana", "signIn"), bool(grafana and grafana.sign_in)),
    ]
    given += [(("servers", name, "source"), _loads_from_hub(server.source)) for name, server in spec.servers.items()]
    for path, is_given in given:
        if is_given:
            reason = "without a NAT gateway it is out of reach"
            yield Problem(path, f"given, which talks to the internet, but {reason}", ("network", "natGateways"))


def _loads_from_hub(source: object) -> bool:
    return isinstance(source, HubSource) or (isinstance(source, BucketSource) and source.populate is not None)


def _has_bucket(spec: PlatformSpec) -> bool:
    return bool(spec.storage and spec.storage.model_bucket)
