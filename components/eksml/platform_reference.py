"""The platform that a program runs on: another stack, or any cluster by its kubeconfig."""

from __future__ import annotations

from typing import Any, TypeVar

import pulumi
import pulumi_kubernetes as k8s

from eksml.config_keys import KUBECONFIG, PLATFORM_STACK, WORKLOAD
from eksml.errors import SpecError
from eksml.spec import Spec, parse

SpecType = TypeVar("SpecType", bound=Spec)


class PlatformReference:
    """The cluster of `eksml:kubeconfig`; or what `eksml:platformStack`, an `organization/project/stack`, exports.

    A kubeconfig goes first: a project may name a platform for all its stacks, and one of them another cluster.

    Raises pulumi.RunError where the stack file has neither.

    Attributes:
        provider: the Kubernetes provider of the platform's cluster.
        opts: options that put a component there.
    """

    def __init__(self) -> None:
        config = pulumi.Config("eksml")
        kubeconfig = config.get_secret(KUBECONFIG.rpartition(":")[2])
        self._name = None if kubeconfig is not None else config.get(PLATFORM_STACK.rpartition(":")[2])
        if self._name is None and kubeconfig is None:
            raise pulumi.RunError(
                f"{PLATFORM_STACK}: missing, must be the stack of the platform to run on, or set {KUBECONFIG}"
            )
        self._stack = pulumi.StackReference(self._name) if self._name else None
        self.provider = k8s.Provider(
            "platform",
            kubeconfig=self.required("kubeconfig") if self._name else kubeconfig,
            # By a name, so that a changed endpoint does not replace everything in the cluster.
            cluster_identifier=self._name or pulumi.get_stack(),
        )
        self.opts = pulumi.ResourceOptions(providers=[self.provider])

    @property
    def model_bucket(self) -> pulumi.Output[str] | None:
        """Name of the platform's model bucket; None on a cluster by its kubeconfig."""
        return self.required("modelBucket") if self._name else None

    @property
    def region(self) -> pulumi.Output[str] | None:
        """AWS region of the platform; None on a cluster by its kubeconfig."""
        return self.required("region") if self._name else None

    @property
    def tracking_uri(self) -> pulumi.Output[str | None] | None:
        """Address of the platform's MLflow, None within where it has none; None on a cluster by its kubeconfig."""
        return self._stack.get_output("trackingUri") if self._stack else None

    @property
    def for_jobs(self) -> dict[str, Any]:
        """What a training job is given of its platform, beside its Spec: `NativeTraining(name, spec, **for_jobs)`."""
        return {
            "bucket": self.model_bucket,
            "region": self.region,
            "tracking_uri": self.tracking_uri,
            "opts": self.opts,
        }

    def required(self, export: str) -> pulumi.Output[Any]:
        """What the platform exports under a name. Without it the program ends and says which platform lacks it."""
        if self._stack is None:
            raise pulumi.RunError(f"{PLATFORM_STACK}: missing, needed for what the platform exports as {export}")
        # One by one: all of them together are as secret as the most secret of them.
        return pulumi.Output.all(self._stack.get_output("profile"), self._stack.get_output(export)).apply(
            lambda known: self._found(export, *known)
        )

    def _found(self, export: str, profile: str | None, value: Any) -> Any:
        if value is None:
            which = f"{self._name} (profile {profile})" if profile else str(self._name)
            raise pulumi.RunError(f"the platform {which} does not export {export}")
        return value


def workload_spec(spec_type: type[SpecType], **given: Any) -> SpecType:
    """A Spec from `eksml:workload` of the selected stack, and from what the program itself gives.

    Raises pulumi.RunError with every problem at once, which ends the program without a traceback.
    """
    settings = pulumi.Config("eksml").get_object(WORKLOAD.rpartition(":")[2])
    if not isinstance(settings, dict):
        raise pulumi.RunError(f"{WORKLOAD}: missing, must be a mapping with the settings of the workload")
    own = {name: value.settings() if isinstance(value, Spec) else value for name, value in given.items()}
    try:
        return parse(spec_type, {**own, **settings})
    except SpecError as error:
        raise pulumi.RunError("\n".join(f"{WORKLOAD}.{problem}" for problem in error.problems)) from None
