"""The model bucket."""

import json
from typing import Any

import pulumi
import pytest

from eksml.errors import SpecError
from eksml.plan import Plan
from eksml.spec import parse
from eksml.storage.model_bucket import ModelBucket, ModelBucketSpec
from programs import names_of, one, recorded
from refusals import check_problems, problems

KEY = "arn:aws:kms:us-west-2:123456789012:key/0123"
ARN = "arn:aws:s3:::acme-models"
READER = {"namespace": "serving", "name": "vllm"}
WRITER = {"namespace": "training", "name": "trainer"}


def bucket(**settings: Any) -> Plan:
    spec = parse(ModelBucketSpec, {"name": "acme-models", **settings})

    def program() -> None:
        made = ModelBucket("lab-models", spec, cluster_name="lab", tags={"team": "vision"})
        pulumi.export("name", made.bucket_name)
        pulumi.export("read", made.read_policy)
        pulumi.export("write", made.read_write_policy())
        pulumi.export("write below", made.read_write_policy("teams/vision/"))

    return recorded(program)


def part(plan: Plan, kind: str) -> Any:
    return one(plan, f"aws:s3/{kind[0].lower()}{kind[1:]}:{kind}").inputs


def statements(policy: str) -> dict[str, Any]:
    """The statements of a policy by their Sid."""
    return {statement.pop("Sid"): statement for statement in json.loads(policy)["Statement"]}


def test_it_works_alone_without_a_cluster() -> None:
    plan = recorded(lambda: ModelBucket("models", ModelBucketSpec()))
    assert "bucket" not in part(plan, "Bucket"), "Pulumi makes up a name"
    assert plan.of_type("aws:iam/role:Role") == []


def test_it_can_have_a_name_and_carries_the_tags() -> None:
    plan = bucket()
    assert part(plan, "Bucket")["bucket"] == plan.exports["name"] == "acme-models"
    assert part(plan, "Bucket")["tags"] == {"team": "vision", "Name": "acme-models"}


def test_what_is_in_it_survives_a_destroy_unless_the_spec_says_otherwise() -> None:
    assert part(bucket(), "Bucket")["forceDestroy"] is False
    assert part(bucket(forceDestroy=True), "Bucket")["forceDestroy"] is True


def test_objects_are_encrypted_with_the_keys_of_s3_or_a_key_of_its_own() -> None:
    (rule,) = part(bucket(), "BucketServerSideEncryptionConfiguration")["rules"]
    assert rule["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": "AES256"}
    (rule,) = part(bucket(keyArn=KEY), "BucketServerSideEncryptionConfiguration")["rules"]
    assert rule["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": KEY}
    assert rule["bucketKeyEnabled"] is True


def test_nobody_from_outside_reaches_it() -> None:
    block = part(bucket(), "BucketPublicAccessBlock")
    assert block.pop("bucket") == "acme-models"
    assert block == dict.fromkeys(
        ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
    )
    assert part(bucket(), "BucketOwnershipControls")["rule"] == {"objectOwnership": "BucketOwnerEnforced"}


def test_nothing_goes_without_tls() -> None:
    assert statements(part(bucket(), "BucketPolicy")["policy"]) == {
        "RefuseUnencrypted": {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [ARN, f"{ARN}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    }


def test_what_is_overwritten_or_deleted_can_be_brought_back_for_some_days() -> None:
    plan = bucket(keepOldVersionsDays=90)
    assert part(plan, "BucketVersioning")["versioningConfiguration"] == {"status": "Enabled"}
    old, unfinished = part(plan, "BucketLifecycleConfiguration")["rules"]
    assert old["noncurrentVersionExpiration"] == {"noncurrentDays": 90}
    assert old["expiration"] == {"expiredObjectDeleteMarker": True}
    assert unfinished["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 7}
    assert old["status"] == unfinished["status"] == "Enabled"


def test_parts_that_s3_refuses_to_change_at_a_time_come_one_after_the_other() -> None:
    plan = bucket()
    versioning = one(plan, "aws:s3/bucketVersioning:BucketVersioning")
    lifecycle = one(plan, "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
    assert versioning.urn in lifecycle.dependencies
    block = one(plan, "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
    assert block.urn in one(plan, "aws:s3/bucketPolicy:BucketPolicy").dependencies


READ = {
    "ListBucket": {"Effect": "Allow", "Action": ["s3:GetBucketLocation", "s3:ListBucket"], "Resource": ARN},
    "ReadObjects": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{ARN}/*"},
}
WRITE_ACTIONS = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject"]


def test_readers_may_list_and_read_and_nothing_else() -> None:
    assert statements(bucket().exports["read"]) == READ


def test_writers_may_write_and_delete_but_not_what_can_be_brought_back() -> None:
    write = {"Effect": "Allow", "Action": WRITE_ACTIONS, "Resource": f"{ARN}/*"}
    assert statements(bucket().exports["write"]) == {**READ, "WriteObjects": write}


def test_a_team_writes_only_below_its_own_folder() -> None:
    found = statements(bucket().exports["write below"])
    write = {"Effect": "Allow", "Action": WRITE_ACTIONS, "Resource": f"{ARN}/teams/vision/*"}
    assert found == {**READ, "WriteObjects": write}, "teams/vision-2 is another team's"


def test_a_key_comes_with_rights_on_it_through_s3_only() -> None:
    plan = bucket(keyArn=KEY)
    rights = {"Effect": "Allow", "Resource": KEY, "Condition": {"StringLike": {"kms:ViaService": "s3.*"}}}
    assert statements(plan.exports["read"])["ReadEncrypted"] == {**rights, "Action": ["kms:Decrypt"]}
    write = statements(plan.exports["write"])
    assert write["ReadEncrypted"]["Action"] == ["kms:Decrypt"], "what is uploaded in parts is read again"
    assert write["WriteEncrypted"] == {**rights, "Action": ["kms:GenerateDataKey"]}


def test_readers_and_writers_have_separate_identities() -> None:
    plan = bucket(readers=[READER], writers=[WRITER])
    identities = {
        resource.inputs["serviceAccount"]: resource
        for resource in plan.of_type("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    }
    assert {name: found.inputs["namespace"] for name, found in identities.items()} == {
        "vllm": "serving",
        "trainer": "training",
    }
    policies = {found.name: found.inputs["policy"] for found in plan.of_type("aws:iam/rolePolicy:RolePolicy")}
    assert policies[identities["vllm"].name] == plan.exports["read"]
    assert policies[identities["trainer"].name] == plan.exports["write"]


def test_an_identity_stays_when_the_list_before_it_changes() -> None:
    other = {"namespace": "serving", "name": "triton"}
    role = "aws:iam/role:Role"
    assert set(names_of(bucket(readers=[READER]), role)) <= set(names_of(bucket(readers=[other, READER]), role))


def test_identities_need_a_cluster() -> None:
    spec = parse(ModelBucketSpec, {"readers": [READER]})
    with pytest.raises(SpecError) as error:
        recorded(lambda: ModelBucket("models", spec))
    assert str(error.value).startswith("the argument cluster_name is missing")


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        ({"name": "Models"}, ["name: 'Models' given, must be the name of a bucket: 3 to 63 lower-case letters"]),
        ({"name": "my.models"}, ["name: 'my.models' given, must be the name of a bucket"]),
        ({"name": "m" * 64}, ["name: 'mmm"]),
        ({"name": "models-"}, ["name: 'models-' given, must be the name of a bucket"]),
        ({"name": "xn--models"}, ["name: 'xn--models' given, must not begin with xn--, sthree- or amzn-s3-demo-"]),
        ({"name": "models--x-s3"}, ["name: 'models--x-s3' given, must not end with -s3alias, --ol-s3, --x-s3 or"]),
        ({"keyArn": "alias/models"}, ["keyArn: 'alias/models' given, must be the ARN of a KMS key"]),
        ({"keepOldVersionsDays": 0}, ["keepOldVersionsDays: 0 given, must be at least 1"]),
        ({"keepOldVersionsDays": 4000}, ["keepOldVersionsDays: 4000 given, must be at most 3650"]),
        ({"forceDestroy": "yes"}, ["forceDestroy: 'yes' given, must be true or false"]),
        (
            {"readers": [READER, WRITER, READER], "writers": [WRITER]},
            [
                "readers[1]: 'training/trainer' is one of writers, who read too",
                "readers[2]: 'serving/vllm' is listed twice",
            ],
        ),
        (
            {"writers": [{"namespace": "Training", "name": "a_b"}]},
            [
                "writers[0].name: 'a_b' given, must be the name of a service account",
                "writers[0].namespace: 'Training' given, must be at most 63 lower-case letters",
            ],
        ),
        ({"versioned": False}, ["versioned: unknown key"]),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], lines: list[str]) -> None:
    check_problems(problems(ModelBucketSpec, settings), lines)
