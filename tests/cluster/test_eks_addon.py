"""EKS add-ons."""

from typing import Any

import pytest

from eksml.cluster.eks_addon import EksAddon, EksAddonSpec
from eksml.errors import SpecError
from eksml.plan import Plan
from programs import one, recorded


def addon(**settings: Any) -> Plan:
    spec = EksAddonSpec(**{"addon": "aws-ebs-csi-driver", "kubernetes_version": "1.36", **settings})
    return recorded(lambda: EksAddon("lab-addon", spec, cluster_name="lab", tags={"team": "vision"}))


def test_it_works_alone_at_the_pinned_version() -> None:
    made = one(addon(configuration={"node": {"tolerateAllTaints": True}}), "aws:eks/addon:Addon").inputs
    assert made["addonName"] == "aws-ebs-csi-driver"
    assert made["addonVersion"].startswith("v1.")
    assert made["configurationValues"] == '{"node": {"tolerateAllTaints": true}}'
    assert made["tags"]["team"] == "vision"


def test_its_identity_is_there_before_its_pods() -> None:
    plan = addon(managed_policies=("arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy",))
    association = one(plan, "aws:eks/podIdentityAssociation:PodIdentityAssociation")
    assert association.inputs["serviceAccount"] == "ebs-csi-controller-sa"
    assert association.urn in one(plan, "aws:eks/addon:Addon").dependencies


def test_its_identity_may_have_a_policy_of_its_own() -> None:
    spec = EksAddonSpec(addon="aws-fsx-csi-driver", kubernetes_version="1.36")
    plan = recorded(lambda: EksAddon("lab-addon", spec, cluster_name="lab", policy="{}"))
    assert one(plan, "aws:iam/rolePolicy:RolePolicy").inputs["policy"] == "{}"
    association = one(plan, "aws:eks/podIdentityAssociation:PodIdentityAssociation")
    assert association.inputs["serviceAccount"] == "fsx-csi-controller-sa"


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"addon": "core-dns"}, "addon: 'core-dns' is not in the catalog, did you mean 'coredns'?"),
        ({"kubernetes_version": "1.20"}, "kubernetesVersion: '1.20' given, the catalog has aws-ebs-csi-driver for"),
        (
            {"addon": "coredns", "managed_policies": ("arn:aws:iam::aws:policy/X",)},
            "managedPolicies: coredns has no service account that calls AWS",
        ),
    ],
)
def test_what_the_catalog_does_not_know_is_refused(settings: dict[str, Any], line: str) -> None:
    with pytest.raises(SpecError) as error:
        addon(**settings)
    assert str(error.value).startswith(line)
