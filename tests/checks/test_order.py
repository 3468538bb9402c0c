"""What is made before what, and so what is gone before what."""

from checks.faults import (
    NODE_POOL,
    SECRETS_STORE,
    Fault,
    Planted,
    add,
    both,
    each_of,
    expect_found,
    secret_provider_class,
)

EARLY_POOL = add(NODE_POOL, "early", {"kind": "NodePool", "metadata": {}, "spec": {"limits": {"cpu": 1}}})
FAULTS: list[Planted] = [
    (
        "custom-resource-after-crd",
        EARLY_POOL,
        "early: does not come after what brings the kinds of karpenter.sh",
    ),
    (
        "custom-resource-after-crd",
        add("kubernetes:kubeflow.org/v1:TFJob", "early", {"kind": "TFJob", "metadata": {}, "spec": {}}),
        "early: does not come after what brings the kinds of kubeflow.org",
    ),
    (
        "custom-resource-after-crd",
        both(add("aws:eks/addon:Addon", "secrets", {"addonName": SECRETS_STORE}), secret_provider_class("early")),
        "early: does not come after what brings the kinds of secrets-store.csi.x-k8s.io",
    ),
    (
        "own-cluster-provider",
        add("kubernetes:core/v1:ConfigMap", "lost", {"kind": "ConfigMap"}, provider=None),
        "lost: has no Kubernetes provider",
    ),
    (
        "nothing-left-behind",
        EARLY_POOL,
        "early: does not depend on eksml-production-karpenter-karpenter, which clears up",
    ),
    (
        "nothing-left-behind",
        add("aws:s3/bucket:Bucket", "kept", {}, options={"retainOnDelete": True}),
        "kept: stays after destroy: retainOnDelete is set",
    ),
]


@each_of(FAULTS)
def test_a_planted_fault_is_found(check: str, fault: Fault, text: str) -> None:
    expect_found(check, fault, text)
