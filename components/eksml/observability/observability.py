"""What measures a platform."""

from __future__ import annotations

import pulumi

from eksml.component import Component
from eksml.observability.prometheus import Prometheus, PrometheusSpec
from eksml.spec import Spec


class ObservabilitySpec(Spec):
    """What measures a platform; each part is there only if it is named."""

    prometheus: PrometheusSpec | None = None
    """Prometheus: what autoscaling and the analysis of rollouts ask."""


class Observability(Component):
    """What measures a platform.

    Arguments:
        spec: what there is.
        image_registry: a registry that images and charts come from, instead of their own.

    Attributes:
        prometheus: Prometheus, if there is one.
    """

    def __init__(
        self,
        name: str,
        spec: ObservabilitySpec,
        *,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:observability:Observability", name, spec, opts, image_registry=image_registry)
        self.prometheus = (
            Prometheus(f"{name}-prometheus", spec.prometheus, image_registry=image_registry, opts=self.child())
            if spec.prometheus
            else None
        )
        self.register_outputs({})
