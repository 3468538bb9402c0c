"""Runs every check over a Plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from eksml.check_list import CHECKS, Severity
from eksml.checks.budget import within_budget
from eksml.checks.charts import chart_value_exists, image_registry, pinned
from eksml.checks.dashboards import dashboard_measured
from eksml.checks.databases import database_recoverable
from eksml.checks.exposure import encrypted, network_policy_enforced, not_public, open_public_endpoint
from eksml.checks.finding import Finding, Found
from eksml.checks.identities import identity_used, narrow_policy, one_identity
from eksml.checks.images import image_fits_nodes
from eksml.checks.naming import name_fits, one_of_a_name, tagged
from eksml.checks.order import custom_resource_after_crd, nothing_left_behind, own_cluster_provider
from eksml.checks.placement import (
    daemon_set_on_gpu_nodes,
    elastic_pool_limited,
    gpu_pool_tainted,
    request_fits_node,
    requests_and_limits,
    workload_has_nodes,
)
from eksml.checks.queues import job_fits_quota
from eksml.checks.quotas import quotas_fit_pools
from eksml.checks.references import claim_exists, config_map_exists, reference_exists, secret_exists
from eksml.checks.repositories import numbered_versions, triton_repository
from eksml.checks.scaling import hold_fits_idle_timeout, metric_exported, sleeper_wakes
from eksml.checks.servers import (
    engine_fits_pod,
    gated_model_token,
    license_allows_use,
    model_fits,
    probe_allows_loading,
)
from eksml.checks.targets import one_engine_per_address, target_exists
from eksml.checks.tls import https_feature_needs_tls
from eksml.plan import Plan, Resource
from eksml.plan.canonical import is_shown


def _waiver_used(plan: Plan) -> Iterator[Found]:
    """Every waiver allows something; where only a part of a Plan is shown, the rest may be what it is for."""
    for platform, waiver, _ in _waivers(plan) if all(map(is_shown, plan.resources)) else ():
        check, _, name = waiver.partition(":")
        if check == "waiver-used":
            continue
        if not any(name in ("", each.resource.name) for each in _FUNCTIONS[check](plan)):
            yield Found(platform, f"the waiver '{waiver}' allows nothing that {check} finds: take it away")


def _waivers(plan: Plan) -> Iterator[tuple[Resource, str, str]]:
    """Each waiver of a platform, and its reason."""
    for platform in plan.of_type("eksml:platform:Platform"):
        for waiver, reason in (platform.inputs.get("spec") or {}).get("waivers", {}).items():
            yield platform, waiver, reason


_FUNCTIONS: dict[str, Callable[[Plan], Iterator[Found]]] = {
    "workload-has-nodes": workload_has_nodes,
    "request-fits-node": request_fits_node,
    "daemon-set-on-gpu-nodes": daemon_set_on_gpu_nodes,
    "gpu-pool-tainted": gpu_pool_tainted,
    "elastic-pool-limited": elastic_pool_limited,
    "image-fits-nodes": image_fits_nodes,
    "pinned": pinned,
    "chart-value-exists": chart_value_exists,
    "image-registry": image_registry,
    "not-public": not_public,
    "https-feature-needs-tls": https_feature_needs_tls,
    "open-public-endpoint": open_public_endpoint,
    "encrypted": encrypted,
    "database-recoverable": database_recoverable,
    "network-policy-enforced": network_policy_enforced,
    "quotas-fit-pools": quotas_fit_pools,
    "job-fits-quota": job_fits_quota,
    "model-fits": model_fits,
    "engine-fits-pod": engine_fits_pod,
    "probe-allows-loading": probe_allows_loading,
    "numbered-versions": numbered_versions,
    "triton-repository": triton_repository,
    "gated-model-token": gated_model_token,
    "license-allows-use": license_allows_use,
    "one-engine-per-address": one_engine_per_address,
    "target-exists": target_exists,
    "metric-exported": metric_exported,
    "dashboard-measured": dashboard_measured,
    "sleeper-wakes": sleeper_wakes,
    "hold-fits-idle-timeout": hold_fits_idle_timeout,
    "custom-resource-after-crd": custom_resource_after_crd,
    "own-cluster-provider": own_cluster_provider,
    "reference-exists": reference_exists,
    "secret-exists": secret_exists,
    "config-map-exists": config_map_exists,
    "claim-exists": claim_exists,
    "identity-used": identity_used,
    "one-identity": one_identity,
    "narrow-policy": narrow_policy,
    "requests-and-limits": requests_and_limits,
    "nothing-left-behind": nothing_left_behind,
    "name-fits": name_fits,
    "one-of-a-name": one_of_a_name,
    "tagged": tagged,
    "within-budget": within_budget,
    "waiver-used": _waiver_used,
}


@dataclass(frozen=True)
class Report:
    """What the checks found."""

    findings: tuple[Finding, ...]
    waived: tuple[tuple[Finding, str], ...]
    """What is allowed nevertheless, each with the reason that the stack file gives."""

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that matter most."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)


def run_checks(plan: Plan, checks: Iterable[str] = tuple(CHECKS)) -> Report:
    """The findings of every check, or of some, in the order of the checks and by resource.

    A workload is judged together with the platform that it runs on; what is found in that is told of it alone.
    """
    whole = plan.with_platform
    reasons = {waiver: reason for _, waiver, reason in _waivers(whole)}
    found = [
        Finding(check, each.resource.name, each.text, each.resource.urn, each.severity or CHECKS[check].severity)
        for check in checks
        for each in sorted(_FUNCTIONS[check](whole), key=lambda each: (each.resource.urn, each.text))
        if each.resource.urn in plan.by_urn
    ]
    waived = [
        (finding, reasons.get(f"{finding.check}:{finding.resource}", reasons.get(finding.check))) for finding in found
    ]
    return Report(
        findings=tuple(finding for finding, reason in waived if reason is None),
        waived=tuple((finding, reason) for finding, reason in waived if reason is not None),
    )


def as_json(report: Report) -> list[dict[str, Any]]:
    """The findings as plain data, for machines."""
    reasons = dict.fromkeys(report.findings) | dict(report.waived)
    return [
        {
            "check": finding.check,
            "severity": finding.severity.value,
            "resource": finding.resource,
            "urn": finding.urn,
            "text": finding.text,
            **({"waiver": reason} if reason else {}),
        }
        for finding, reason in reasons.items()
    ]
