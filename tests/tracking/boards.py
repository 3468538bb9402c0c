"""One TensorBoard, recorded in a bare program."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from eksml.network.team_gateway import TeamGatewaySpec
from eksml.plan import Plan
from eksml.service_access import ServiceAccess
from eksml.spec import parse
from eksml.tracking.tensorboard import TensorBoard, TensorBoardSpec, tensor_board_access
from programs import one, recorded

DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def board(*, image_registry: str | None = None, **settings: Any) -> Plan:
    """The Plan of the TensorBoard of a team."""
    spec = parse(TensorBoardSpec, settings)

    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        opts = pulumi.ResourceOptions(providers=[provider])
        handles: dict[str, Any] = {"bucket": "models", "region": "us-west-2", "image_registry": image_registry}
        TensorBoard("tensorboard-vision", spec, namespace="vision", **handles, opts=opts)

    return recorded(program)


def container(plan: Plan) -> dict[str, Any]:
    """What runs in its pod."""
    (found,) = pod(plan)["containers"]
    return found


def pod(plan: Plan) -> dict[str, Any]:
    """The spec of its pod."""
    return one(plan, DEPLOYMENT).inputs["spec"]["template"]["spec"]


def access(gateway: dict[str, Any] | None = None, **settings: Any) -> ServiceAccess:
    """How a person reaches it, by the entry of its team."""
    entry = parse(TeamGatewaySpec, gateway) if gateway is not None else None
    return tensor_board_access("tensorboard-vision", "vision", parse(TensorBoardSpec, settings), entry)
