"""What remembers experiments, runs and models, for all teams of a platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
from pydantic import Field

from eksml import names
from eksml.component import Component, Tags
from eksml.errors import Problem, SpecError
from eksml.network.entry import EntryHandles, ServiceRoutes, ServiceRoutesSpec
from eksml.network.team_gateway import TeamGatewaySpec
from eksml.service_access import ServiceAccess
from eksml.spec import Spec, TeamName
from eksml.storage.postgresql import DatabaseAccess
from eksml.tracking.mlflow import Mlflow
from eksml.tracking.mlflow_spec import MlflowEntryAuthentication, MlflowSpec
from eksml.tracking.tensorboard import TensorBoard, TensorBoardSpec
from eksml.tracking.weights_and_biases import WeightsAndBiases, WeightsAndBiasesSpec
from eksml.workload import LONGEST_NAME

_MLFLOW = "mlflow"


class TrackingSpec(Spec):
    """What remembers experiments, runs and models; each is there only if it is named."""

    mlflow: MlflowSpec | None = None
    """MLflow, on PostgreSQL and a bucket, with a user for each team."""
    weights_and_biases: WeightsAndBiasesSpec | None = None
    """Weights & Biases: its key for the teams that report to it."""
    tensor_boards: dict[TeamName, TensorBoardSpec] = Field(default_factory=dict)
    """TensorBoards by team, each for the logs that the team's jobs write into the bucket."""

    @property
    def secrets_needed(self) -> tuple[str, ...]:
        """The secrets of the stack that it needs, without `eksml:`."""
        parts = (self.mlflow, self.weights_and_biases)
        return tuple(secret for part in parts if part for secret in part.secrets_needed)


class Tracking(Component):
    """The trackers of a platform.

    Raises SpecError for MLflow without its database or the cluster's name.

    Arguments:
        spec: which trackers there are.
        teams: by name, the entry of each team, whose namespaces exist; MLflow makes a user for each.
        secrets: by name, what `spec.secrets_needed` names.
        region: the AWS region.
        cluster_name: name of the EKS cluster, which MLflow needs.
        database: how MLflow's database is reached.
        bucket: name of the platform's model bucket.
        key_arn: ARN of the KMS key of that bucket, if it has one.
        notebooks: the namespace of notebooks, if there are any: MLflow has a user for them.
        notebooks_team: the team that they belong to, whose key of Weights & Biases they get.
        entry: the platform's entry, if it has one.
        load_balancer_cidrs: the ranges from which its load balancer reaches pods.
        has_prometheus: whether there is a Prometheus.
        image_registry: a registry that images come from, instead of their own.
        tags: tags for every AWS resource.

    Attributes:
        access: by name, how people reach what has a page.
    """

    def __init__(
        self,
        name: str,
        spec: TrackingSpec,
        *,
        teams: Mapping[str, TeamGatewaySpec | None],
        secrets: Mapping[str, pulumi.Input[str]],
        region: str,
        cluster_name: pulumi.Input[str] | None = None,
        database: DatabaseAccess | None = None,
        bucket: pulumi.Input[str] | None = None,
        key_arn: str | None = None,
        notebooks: str | None = None,
        notebooks_team: str | None = None,
        entry: EntryHandles | None = None,
        load_balancer_cidrs: Sequence[str] = (),
        has_prometheus: bool = False,
        image_registry: str | None = None,
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:tracking:Tracking", name, spec, opts, tags, image_registry)
        self.access: dict[str, ServiceAccess] = {}
        if spec.mlflow:
            if database is None or cluster_name is None:
                text = "the arguments database and cluster_name are missing, which MLflow needs"
                raise SpecError([Problem(("mlflow",), text)])
            mlflow = Mlflow(
                f"{name}-mlflow",
                spec.mlflow,
                cluster_name=cluster_name,
                region=region,
                database=database,
                bucket=bucket,
                key_arn=key_arn,
                teams=list(teams),
                namespaces=[notebooks] if notebooks else [],
                admin_password=secrets.get("mlflowAdminPassword"),
                client_secret=secrets.get("mlflowClientSecret"),
                load_balancer_cidrs=load_balancer_cidrs if entry else (),
                host=entry.host(_MLFLOW) if entry else None,
                has_prometheus=has_prometheus,
                image_registry=image_registry,
                tags=tags,
                opts=self.child(),
            )
            self.access[_MLFLOW] = mlflow.access
            if entry:
                self._route(spec.mlflow, entry, mlflow)
        if spec.weights_and_biases:
            asked = notebooks_team in spec.weights_and_biases.teams
            WeightsAndBiases(
                f"{name}-wandb",
                spec.weights_and_biases,
                api_key=secrets["wandbApiKey"],
                notebooks=notebooks if asked else None,
                opts=self.child(),
            )
        for team, board in spec.tensor_boards.items():
            made = TensorBoard(
                names.fitted(f"tensorboard-{team}", LONGEST_NAME),
                board,
                namespace=team,
                bucket=bucket,
                region=region,
                gateway=teams[team],
                image_registry=image_registry,
                opts=self.child(),
            )
            self.access[f"tensorboard-{team}"] = made.access
        self.register_outputs({})

    def _route(self, spec: MlflowSpec, entry: EntryHandles, mlflow: Mlflow) -> None:
        """Leads people from the platform's entry to MLflow."""
        authentication = spec.authentication
        ServiceRoutes(
            f"{self.resource_name}-mlflow-routes",
            ServiceRoutesSpec(
                namespace=names.MLFLOW_NAMESPACE, service=_MLFLOW, port=names.MLFLOW_PORT, health_path="/health"
            ),
            service=_MLFLOW,
            entry=entry,
            authentication=authentication.login if isinstance(authentication, MlflowEntryAuthentication) else None,
            opts=self.child(depends_on=[mlflow]),
        )
