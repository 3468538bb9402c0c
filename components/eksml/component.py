"""What all components share.

A component turns one Spec into resources: no validation, no input or output, no surprises. What decides structure is
plain data in its Spec; what exists only at run time (ids, ARNs) is a keyword argument. It works alone, given a
provider through `opts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from eksml.catalog import charts
from eksml.image_registry import mirrored_chart, with_mirrored_images
from eksml.spec import Spec

Tags = Mapping[str, str]

_HELM_TIMEOUT_SECONDS = 600


class Component(pulumi.ComponentResource):
    """The base of every component: a token `eksml:<room>:<Class>`, the Spec as its inputs, its tags and registry."""

    def __init__(
        self,
        token: str,
        name: str,
        spec: Spec,
        opts: pulumi.ResourceOptions | None,
        tags: Tags | None = None,
        image_registry: str | None = None,
    ):
        super().__init__(token, name, {"spec": spec.settings()}, opts)
        self.resource_name = name
        self.own_tags = dict(tags or {})
        self.image_registry = image_registry

    def child(self, **options: Any) -> pulumi.ResourceOptions:
        """Options for a resource of this component."""
        return pulumi.ResourceOptions(parent=self, **options)

    def tagged(self, resource_name: str, **more: str) -> dict[str, str]:
        """Tags for one AWS resource: the component's, its name, and its own."""
        return {**self.own_tags, "Name": resource_name, **more}

    def helm_release(
        self, chart: str, values: Mapping[str, Any], *, skip_crds: bool = False, **options: Any
    ) -> k8s.helm.v3.Release:
        """A chart of the catalog at its pinned version, in its namespace, from the image registry if there is one."""
        fact = charts()[chart]
        address, repository = fact.chart, fact.repository
        if self.image_registry:
            address, repository = mirrored_chart(fact, self.image_registry), None
            values = with_mirrored_images(values, fact, self.image_registry)
        return k8s.helm.v3.Release(
            f"{self.resource_name}-{chart}",
            name=chart,
            chart=address,
            version=fact.version,
            namespace=fact.namespace,
            repository_opts={"repo": repository} if repository else None,
            values=values,
            skip_crds=skip_crds,
            timeout=_HELM_TIMEOUT_SECONDS,
            opts=self.child(**options),
        )
