"""What a platform has beside the model servers, to run, scale and replace them."""

from __future__ import annotations

import pulumi

from eksml.component import Component
from eksml.serving.keda import Keda, KedaSpec
from eksml.spec import Spec
from eksml.tenancy.kueue import Framework


class ServingSpec(Spec):
    """The operators that model servers need; each is there only if it is named. A plain server needs none."""

    keda: KedaSpec | None = None
    """KEDA: ScaledObject; with its HTTP add-on InterceptorRoute."""

    @property
    def frameworks(self) -> tuple[Framework, ...]:
        """What Kueue calls the kinds that they bring."""
        return ()


class ServingOperators(Component):
    """The operators of a platform that model servers need.

    Arguments:
        spec: which operators there are.
        image_registry: a registry that images and charts come from, instead of their own.
    """

    def __init__(
        self,
        name: str,
        spec: ServingSpec,
        *,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:serving:ServingOperators", name, spec, opts, image_registry=image_registry)
        if spec.keda:
            Keda(f"{name}-keda", spec.keda, image_registry=image_registry, opts=self.child())
        self.register_outputs({})
