"""Every check of a Plan, by its identifier: how much it matters, and why.

What each check looks for is in `eksml.checks`; the waivers of a stack file name them, `check` or `check:resource`.
"""

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """`pulumi up` fails, or what it makes does not work or is not safe."""
    WARNING = "warning"
    """It works, and somebody will wish that it were otherwise."""


class CheckInfo(NamedTuple):
    """What a check is for."""

    severity: Severity
    explanation: str


_ERROR, _WARNING = Severity.ERROR, Severity.WARNING

CHECKS: dict[str, CheckInfo] = {
    "workload-has-nodes": CheckInfo(
        _ERROR, "A pod whose selector, affinity or tolerations no pool meets waits for ever."
    ),
    "request-fits-node": CheckInfo(_ERROR, "A pod that asks for more than the largest node has left waits for ever."),
    "daemon-set-on-gpu-nodes": CheckInfo(
        _ERROR, "What each GPU node needs must tolerate the taint; nothing else should."
    ),
    "gpu-pool-tainted": CheckInfo(_ERROR, "Without a taint, pods that need no GPU take the room of those that do."),
    "elastic-pool-limited": CheckInfo(_ERROR, "A pool without a limit grows until somebody sees the bill."),
    "image-fits-nodes": CheckInfo(
        _ERROR, "An image needs nodes of its architecture, CUDA for GPUs, and a driver as new as its CUDA."
    ),
    "pinned": CheckInfo(_ERROR, "A chart or image without a version changes by itself."),
    "chart-value-exists": CheckInfo(_ERROR, "A chart ignores a value that it does not know, a misspelt one too."),
    "image-registry": CheckInfo(_ERROR, "With a registry of one's own, nothing should be fetched from elsewhere."),
    "not-public": CheckInfo(_ERROR, "Nothing may be reached from the internet that the stack file did not open."),
    "https-feature-needs-tls": CheckInfo(
        _ERROR, "A load balancer authenticates and speaks gRPC over HTTPS only, and HTTPS needs a certificate."
    ),
    "open-public-endpoint": CheckInfo(
        _ERROR, "An API server that the whole internet reaches is one stolen key away from anybody."
    ),
    "encrypted": CheckInfo(_ERROR, "Data at rest is encrypted."),
    "database-recoverable": CheckInfo(
        _WARNING, "A database without backups or a last snapshot is lost with one mistake."
    ),
    "network-policy-enforced": CheckInfo(
        _ERROR, "A network policy does nothing where the network does not enforce it."
    ),
    "quotas-fit-pools": CheckInfo(_WARNING, "What is promised to all teams together should be there."),
    "job-fits-quota": CheckInfo(
        _ERROR,
        "A job that no queue takes, or that asks for more than its queue may ever have, waits for ever; so does the "
        "next version of a Rollout without room for both.",
    ),
    "model-fits": CheckInfo(
        _ERROR, "A model that does not fit its GPU ends its server at every start, after minutes of loading."
    ),
    "engine-fits-pod": CheckInfo(
        _ERROR, "An engine that takes more than its pod asks for does not start, or is ended when it is busy."
    ),
    "probe-allows-loading": CheckInfo(
        _ERROR, "A probe that does not wait for the model ends a server that loads, again and again."
    ),
    "numbered-versions": CheckInfo(
        _ERROR, "TensorFlow Serving finds models in folders of a number only, and waits for ever without."
    ),
    "triton-repository": CheckInfo(
        _ERROR, "Triton starts without a model that its repository does not have by that name, or not at all."
    ),
    "gated-model-token": CheckInfo(_ERROR, "The hub gives a gated model to nobody without a token."),
    "license-allows-use": CheckInfo(_WARNING, "A licence may forbid what a production platform is for."),
    "one-engine-per-address": CheckInfo(_ERROR, "Of two engines on one port, name or route, one is never reached."),
    "target-exists": CheckInfo(
        _ERROR, "What scales, guards, measures or exposes a server does nothing where the server is not found."
    ),
    "metric-exported": CheckInfo(
        _ERROR, "Replicas that follow what nobody measures stay as they are, and no version is ever judged."
    ),
    "dashboard-measured": CheckInfo(_WARNING, "A panel whose metric nobody exports stays empty."),
    "sleeper-wakes": CheckInfo(_ERROR, "What sleeps and is measured only while it runs never wakes."),
    "hold-fits-idle-timeout": CheckInfo(
        _WARNING, "A request that is held for longer than the load balancer waits gets no answer."
    ),
    "custom-resource-after-crd": CheckInfo(_ERROR, "An object comes after the definition of its kind."),
    "own-cluster-provider": CheckInfo(
        _ERROR, "A Kubernetes object without its cluster's provider lands in any cluster."
    ),
    "reference-exists": CheckInfo(
        _ERROR,
        "What names a kind, namespace, storage, account or MLflow that is not there is refused, or does not work.",
    ),
    "secret-exists": CheckInfo(_WARNING, "A pod does not start before the secrets that it reads are there."),
    "config-map-exists": CheckInfo(_WARNING, "A pod does not start before the ConfigMaps that it reads are there."),
    "claim-exists": CheckInfo(_WARNING, "A pod does not start before the claims that it mounts are there."),
    "identity-used": CheckInfo(_WARNING, "An identity that no service account uses is a right that nobody needs."),
    "one-identity": CheckInfo(_ERROR, "EKS gives a service account one identity, and refuses a second one."),
    "narrow-policy": CheckInfo(_ERROR, "A policy with every action on every resource is a key to the account."),
    "requests-and-limits": CheckInfo(
        _WARNING, "A pod without requests is placed blindly; without a memory limit it takes all."
    ),
    "nothing-left-behind": CheckInfo(_ERROR, "What a controller made must be gone before the controller is."),
    "name-fits": CheckInfo(_ERROR, "AWS and Kubernetes refuse names that are too long, after ten minutes of work."),
    "one-of-a-name": CheckInfo(_ERROR, "Kubernetes refuses a second object of a kind, namespace and name."),
    "tagged": CheckInfo(_WARNING, "What has no tag is found on no bill."),
    "within-budget": CheckInfo(_ERROR, "A bill is a surprise only to those who did not look before."),
    "waiver-used": CheckInfo(_WARNING, "A waiver that allows nothing today hides what goes wrong tomorrow."),
}
