"""Each service account has one identity, and no rights that it does not need."""

from checks.faults import Fault, Planted, add, change, each_of, expect_found, found, planted

EVERYTHING = '{"Statement": {"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}}'
ASSOCIATION = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
FAULTS: list[Planted] = [
    (
        "one-identity",
        add(
            ASSOCIATION,
            "second",
            {"clusterName": "eksml-production", "namespace": "training", "serviceAccount": "workload"},
        ),
        "eksml-production-training-workload: training/workload has an identity already, by second",
    ),
    (
        "identity-used",
        change(ASSOCIATION, "training-workload", "serviceAccount", "worklaod"),
        "eksml-production-training-workload: no service account training/worklaod is made by the stack",
    ),
    (
        "narrow-policy",
        change("aws:iam/rolePolicy:RolePolicy", "karpenter-controller", "policy", EVERYTHING),
        "eksml-production-karpenter-controller: 'All' allows every action on every resource",
    ),
    (
        "narrow-policy",
        change(
            ATTACHMENT,
            "storage-ebs-csi-AmazonEBSCSIDriverPolicy",
            "policyArn",
            "arn:aws:iam::aws:policy/AdministratorAccess",
        ),
        "eksml-production-storage-ebs-csi-AmazonEBSCSIDriverPolicy: AdministratorAccess allows every action",
    ),
    (
        "narrow-policy",
        add("aws:iam/role:Role", "inline", {"inlinePolicies": [{"name": "a", "policy": EVERYTHING}]}),
        "inline: 'All' allows every action on every resource",
    ),
    (
        "narrow-policy",
        add("aws:iam/role:Role", "managed", {"managedPolicyArns": ["arn:aws-cn:iam::aws:policy/PowerUserAccess"]}),
        "managed: PowerUserAccess allows every action but those of IAM on every resource",
    ),
    (
        "narrow-policy",
        add(
            ATTACHMENT,
            "wide",
            {"policyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"},
        ),
        "wide: AmazonS3FullAccess allows every action of its service on every resource",
    ),
]


@each_of(FAULTS)
def test_a_planted_fault_is_found(check: str, fault: Fault, text: str) -> None:
    expect_found(check, fault, text)


def test_a_policy_of_the_account_is_judged_by_what_it_says_not_by_its_name() -> None:
    own = add("aws:iam/role:Role", "own", {"managedPolicyArns": ["arn:aws:iam::123456789012:policy/TeamFullAccess"]})
    assert found(planted(own), "narrow-policy") == []
