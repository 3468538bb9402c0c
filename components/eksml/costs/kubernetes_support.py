"""For how long EKS supports the Kubernetes of a cluster, and what that costs afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from eksml import catalog
from eksml.costs.amounts import HOURS_PER_MONTH
from eksml.costs.basis import Basis
from eksml.plan import Plan, Resource

CLUSTERS = ("eks:index:Cluster", "aws:eks/cluster:Cluster")


@dataclass(frozen=True)
class Support:
    """The support of a cluster's version."""

    version: str
    standard_ends: date
    """The last day of standard support."""
    extended_ends: date | None
    """The last day of extended support; None: not known yet."""
    stays: bool
    """Whether the cluster stays in extended support: with another policy EKS upgrades it by itself."""

    def has_ended_on(self, day: date) -> bool:
        """Whether standard support is over."""
        return self.standard_ends < day

    def is_extended_on(self, day: date) -> bool:
        """Whether the cluster costs more, for extended support. What EKS upgrades once that ends is in it too."""
        return self.stays and self.has_ended_on(day)


def support_of(cluster: Resource, plan: Plan) -> Support | None:
    """The support of a cluster's version; None where nobody knows it."""
    spec = plan.by_urn[cluster.parent].inputs.get("spec") or {} if cluster.parent in plan.by_urn else {}
    version = str(cluster.inputs.get("version") or spec.get("kubernetesVersion"))
    policy = (cluster.inputs.get("upgradePolicy") or {}).get("supportType") or spec.get("upgradePolicy") or "EXTENDED"
    fact = catalog.kubernetes_versions().get(version)
    if fact is None or fact.standard_support_ends is None:
        return None
    stays = str(policy).upper() == "EXTENDED"
    return Support(version, fact.standard_support_ends, fact.extended_support_ends, stays)


def day_of(basis: Basis) -> date:
    """The day that a bill is for."""
    return basis.assumptions.on or catalog.today()


def support_notes(basis: Basis) -> Iterator[str]:
    """When the support of each cluster's version ends, and what happens then."""
    price = catalog.price("eksExtendedSupport", basis.region, basis.listed)
    more = f"${price.usd * HOURS_PER_MONTH:,.0f} a month more" if price else "more"
    for cluster in (each for kind in CLUSTERS for each in basis.plan.of_type(kind)):
        if support := support_of(cluster, basis.plan):
            yield _note(support, more, has_ended=support.has_ended_on(day_of(basis)))


def _note(support: Support, more: str, *, has_ended: bool) -> str:
    when = f"its standard support of Kubernetes {support.version} on {support.standard_ends}"
    beginning = f"EKS {'ended' if has_ended else 'ends'} {when}"
    if not support.stays:
        return (
            f"{beginning}, and {'upgraded' if has_ended else 'upgrades'} the cluster by itself then. With "
            f"cluster.upgradePolicy extended it would stay, and cost {more}."
        )
    end = f", until {support.extended_ends}, when EKS upgrades it" if support.extended_ends else ""
    since = "Since then" if has_ended else "From then on"
    look = "" if has_ended else f" See it with --assume on={support.standard_ends + timedelta(days=1)}."
    return f"{beginning}. {since} the control plane costs {more}, for extended support{end}.{look}"
