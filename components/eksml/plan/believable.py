"""Believable outputs for resources and functions that no cloud answers for.

Every type that a program may use has an entry, so that whatever is computed from an output is computed. A placeholder:
{id} the resource's id, {name} its name in the cloud, {hex} 17 digits made from its URN, {region} and {account}.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

ACCOUNT = "123456789012"
"""The account number that AWS's documentation uses."""

# By type: how its id is made, and its outputs beside its inputs.
_AWS: dict[str, tuple[str, dict[str, Any]]] = {
    "aws:acm/certificate:Certificate": (
        "arn:aws:acm:{region}:{account}:certificate/{hex}",
        {
            "arn": "{id}",
            "domainValidationOptions": [
                {
                    "domainName": "example.com",
                    "resourceRecordName": "_{hex}.example.com.",
                    "resourceRecordType": "CNAME",
                    "resourceRecordValue": "_{hex}.acm-validations.aws.",
                }
            ],
        },
    ),
    "aws:acm/certificateValidation:CertificateValidation": ("{hex}", {}),
    "aws:amp/workspace:Workspace": (
        "ws-{hex}",
        {
            "arn": "arn:aws:aps:{region}:{account}:workspace/{id}",
            "prometheusEndpoint": "https://aps-workspaces.{region}.amazonaws.com/workspaces/{id}/",
        },
    ),
    "aws:budgets/budget:Budget": (
        "{account}:{name}",
        {"name": "{name}", "arn": "arn:aws:budgets::{account}:budget/{name}"},
    ),
    "aws:cloudwatch/eventRule:EventRule": (
        "{name}",
        {"name": "{name}", "arn": "arn:aws:events:{region}:{account}:rule/{name}"},
    ),
    "aws:cloudwatch/eventTarget:EventTarget": ("{name}", {"targetId": "{name}"}),
    "aws:cloudwatch/logGroup:LogGroup": (
        "{name}",
        {"name": "{name}", "arn": "arn:aws:logs:{region}:{account}:log-group:{name}"},
    ),
    "aws:cognito/userPool:UserPool": (
        "{region}_{hex}",
        {"name": "{name}", "arn": "arn:aws:cognito-idp:{region}:{account}:userpool/{id}"},
    ),
    "aws:cognito/userPoolClient:UserPoolClient": ("{hex}", {"name": "{name}", "clientSecret": "{hex}"}),
    "aws:cognito/userPoolDomain:UserPoolDomain": ("{name}", {}),
    "aws:ec2/eip:Eip": ("eipalloc-{hex}", {"allocationId": "{id}", "publicIp": "192.0.2.1"}),
    "aws:ec2/internetGateway:InternetGateway": (
        "igw-{hex}",
        {"arn": "arn:aws:ec2:{region}:{account}:internet-gateway/{id}"},
    ),
    "aws:ec2/launchTemplate:LaunchTemplate": (
        "lt-{hex}",
        {
            "name": "{name}",
            "arn": "arn:aws:ec2:{region}:{account}:launch-template/{id}",
            "latestVersion": 1,
            "defaultVersion": 1,
        },
    ),
    "aws:ec2/natGateway:NatGateway": ("nat-{hex}", {"publicIp": "192.0.2.1", "privateIp": "10.0.0.10"}),
    "aws:ec2/placementGroup:PlacementGroup": (
        "{name}",
        {"name": "{name}", "arn": "arn:aws:ec2:{region}:{account}:placement-group/{name}"},
    ),
    "aws:ec2/route:Route": ("r-{hex}", {}),
    "aws:ec2/routeTable:RouteTable": ("rtb-{hex}", {"arn": "arn:aws:ec2:{region}:{account}:route-table/{id}"}),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": ("rtbassoc-{hex}", {}),
    "aws:ec2/securityGroup:SecurityGroup": (
        "sg-{hex}",
        {"name": "{name}", "arn": "arn:aws:ec2:{region}:{account}:security-group/{id}"},
    ),
    "aws:ec2/subnet:Subnet": ("subnet-{hex}", {"arn": "arn:aws:ec2:{region}:{account}:subnet/{id}"}),
    "aws:ec2/vpc:Vpc": (
        "vpc-{hex}",
        {
            "arn": "arn:aws:ec2:{region}:{account}:vpc/{id}",
            "mainRouteTableId": "rtb-{hex}",
            "defaultSecurityGroupId": "sg-{hex}",
        },
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": ("vpce-{hex}", {"arn": "arn:aws:ec2:{region}:{account}:vpc-endpoint/{id}"}),
    "aws:efs/backupPolicy:BackupPolicy": ("{name}", {}),
    "aws:efs/fileSystem:FileSystem": (
        "fs-{hex}",
        {
            "arn": "arn:aws:elasticfilesystem:{region}:{account}:file-system/{id}",
            "dnsName": "{id}.efs.{region}.amazonaws.com",
        },
    ),
    "aws:efs/fileSystemPolicy:FileSystemPolicy": ("{name}", {}),
    "aws:efs/mountTarget:MountTarget": ("fsmt-{hex}", {"ipAddress": "10.0.0.10"}),
    "aws:eks/accessEntry:AccessEntry": ("{name}", {}),
    "aws:eks/addon:Addon": ("{name}", {"arn": "arn:aws:eks:{region}:{account}:addon/{name}"}),
    "aws:eks/cluster:Cluster": (
        "{name}",
        {
            "name": "{name}",
            "arn": "arn:aws:eks:{region}:{account}:cluster/{name}",
            "endpoint": "https://{hex}.gr7.{region}.eks.amazonaws.com",
            "certificateAuthority": {"data": "Y2VydGlmaWNhdGU="},
            "certificateAuthorities": [{"data": "Y2VydGlmaWNhdGU="}],
            "identities": [{"oidcs": [{"issuer": "https://oidc.eks.{region}.amazonaws.com/id/{hex}"}]}],
            "vpcConfig": {"clusterSecurityGroupId": "sg-{hex}", "vpcId": "vpc-{hex}", "subnetIds": []},
            "platformVersion": "eks.1",
            "status": "ACTIVE",
        },
    ),
    "aws:eks/nodeGroup:NodeGroup": (
        "{name}",
        {"nodeGroupName": "{name}", "arn": "arn:aws:eks:{region}:{account}:nodegroup/{name}", "status": "ACTIVE"},
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": (
        "a-{hex}",
        {"associationId": "{id}", "associationArn": "arn:aws:eks:{region}:{account}:podidentityassociation/{id}"},
    ),
    "aws:iam/instanceProfile:InstanceProfile": (
        "{name}",
        {"name": "{name}", "arn": "arn:aws:iam::{account}:instance-profile/{name}"},
    ),
    "aws:iam/role:Role": (
        "{name}",
        {"name": "{name}", "arn": "arn:aws:iam::{account}:role/{name}", "uniqueId": "AROA{hex}"},
    ),
    "aws:iam/rolePolicy:RolePolicy": ("{name}", {"name": "{name}"}),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": ("{name}", {}),
    "aws:kms/key:Key": ("{hex}", {"keyId": "{id}", "arn": "arn:aws:kms:{region}:{account}:key/{id}"}),
    "aws:rds/instance:Instance": (
        "db-{hex}",
        {
            "arn": "arn:aws:rds:{region}:{account}:db:{name}",
            "address": "{name}.{hex}.{region}.rds.amazonaws.com",
            "endpoint": "{name}.{hex}.{region}.rds.amazonaws.com:5432",
            "masterUserSecrets": [
                {
                    "secretArn": "arn:aws:secretsmanager:{region}:{account}:secret:rds!db-{hex}",
                    "secretStatus": "active",
                    "kmsKeyId": "arn:aws:kms:{region}:{account}:key/{hex}",
                }
            ],
        },
    ),
    "aws:rds/parameterGroup:ParameterGroup": ("{name}", {"name": "{name}"}),
    "aws:rds/subnetGroup:SubnetGroup": ("{name}", {"name": "{name}"}),
    "aws:route53/record:Record": ("{hex}", {"fqdn": "{name}"}),
    "aws:s3/bucket:Bucket": (
        "{name}",
        {
            "bucket": "{name}",
            "arn": "arn:aws:s3:::{name}",
            "bucketRegionalDomainName": "{name}.s3.{region}.amazonaws.com",
        },
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": ("{name}", {}),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": ("{name}", {}),
    "aws:s3/bucketPolicy:BucketPolicy": ("{name}", {}),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": ("{name}", {}),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": ("{name}", {}),
    "aws:s3/bucketVersioning:BucketVersioning": ("{name}", {}),
    "aws:scheduler/schedule:Schedule": (
        "{name}/{name}",
        {"name": "{name}", "arn": "arn:aws:scheduler:{region}:{account}:schedule/{name}/{name}"},
    ),
    "aws:scheduler/scheduleGroup:ScheduleGroup": (
        "{name}",
        {"name": "{name}", "arn": "arn:aws:scheduler:{region}:{account}:schedule-group/{name}"},
    ),
    "aws:secretsmanager/secretRotation:SecretRotation": ("{hex}", {"rotationEnabled": True}),
    "aws:sqs/queue:Queue": (
        "https://sqs.{region}.amazonaws.com/{account}/{name}",
        {"name": "{name}", "url": "{id}", "arn": "arn:aws:sqs:{region}:{account}:{name}"},
    ),
    "aws:sqs/queuePolicy:QueuePolicy": ("{name}", {}),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": ("sgr-{hex}", {"securityGroupRuleId": "{id}"}),
}

_FUNCTIONS: dict[str, dict[str, Any]] = {
    "aws:eks/getCluster:getCluster": _AWS["aws:eks/cluster:Cluster"][1] | {"id": "{name}"},
}


def is_known_type(resource_type: str) -> bool:
    """Whether there are believable outputs for a type."""
    return resource_type in _AWS or resource_type.startswith(("kubernetes:", "pulumi:providers:"))


def outputs_of(resource_type: str, urn: str, inputs: Mapping[str, Any], region: str) -> tuple[str, dict[str, Any]]:
    """The id of a resource and its outputs beside its inputs."""
    name = urn.rpartition("::")[2]
    if resource_type.startswith("pulumi:providers:"):
        return digits(urn), {}
    if resource_type.startswith("kubernetes:"):
        return _kubernetes_outputs(resource_type, urn, inputs)
    make_id, outputs = _AWS[resource_type]
    words = {"hex": digits(urn)[:17], "region": region, "account": ACCOUNT}
    named = [
        inputs[key] for key in ("name", "nodeGroupName", "bucket", "identifier") if isinstance(inputs.get(key), str)
    ]
    words["name"] = named[0] if named else _autoname(name, urn)
    words["id"] = make_id.format(**words)
    return words["id"], _filled(outputs, words)


def inner_cluster_urn(urn: str) -> str:
    """The URN of the aws.eks.Cluster that hides in a pulumi_eks.Cluster."""
    parent, name = urn.rsplit("::", 1)
    return f"{parent}$aws:eks/cluster:Cluster::{name}-eksCluster"


def cluster_outputs(urn: str, inputs: Mapping[str, Any], region: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The outputs of a pulumi_eks.Cluster: the URN of its hidden aws.eks.Cluster, that one's state, and its own."""
    inner_urn = inner_cluster_urn(urn)
    inner_id, state = outputs_of("aws:eks/cluster:Cluster", inner_urn, {"name": inputs.get("name")}, region)
    state["version"] = inputs.get("version", "")
    role = (inputs.get("providerCredentialOpts") or {}).get("roleArn")
    kubeconfig = _kubeconfig(inner_id, state, region, role)
    return (
        inner_urn,
        {"id": inner_id, **state},
        {
            "kubeconfig": kubeconfig,
            "kubeconfigJson": json.dumps(kubeconfig),
            "clusterSecurityGroupId": state["vpcConfig"]["clusterSecurityGroupId"],
            "nodeSecurityGroupId": f"sg-{digits(urn)[:17]}",
            "oidcIssuer": state["identities"][0]["oidcs"][0]["issuer"].removeprefix("https://"),
        },
    )


def function_outputs(token: str, arguments: Mapping[str, Any], region: str) -> dict[str, Any] | None:
    """What a provider's function returns, or None for one that is not known."""
    if token not in _FUNCTIONS:
        return None
    words = {
        "hex": digits(token + json.dumps(dict(arguments), sort_keys=True))[:17],
        "region": region,
        "account": ACCOUNT,
    }
    words["name"] = words["id"] = str(arguments.get("name", ""))
    return {**arguments, **_filled(_FUNCTIONS[token], words)}


def kubernetes_name(inputs: Mapping[str, Any], urn: str) -> str:
    """The name of a Kubernetes object: its own, or one as the provider makes it up."""
    metadata = inputs.get("metadata")
    given = metadata.get("name") if isinstance(metadata, Mapping) else None
    return given if isinstance(given, str) else _autoname(urn.rpartition("::")[2], urn)


def _kubernetes_outputs(resource_type: str, urn: str, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    name = kubernetes_name(inputs, urn)
    if resource_type == "kubernetes:helm.sh/v3:Release":
        status = {
            "name": inputs.get("name", name),
            "namespace": inputs.get("namespace", "default"),
            "status": "deployed",
            "revision": 1,
        }
        return f"{status['namespace']}/{status['name']}", {"status": status, "resourceNames": {}, "manifest": {}}
    metadata = inputs.get("metadata") if isinstance(inputs.get("metadata"), Mapping) else {}
    namespace = metadata.get("namespace", "default") if metadata else "default"
    return f"{namespace}/{name}", {"metadata": {**(metadata or {}), "name": name, "namespace": namespace}, "status": {}}


def _kubeconfig(cluster_name: str, state: Mapping[str, Any], region: str, role: str | None) -> dict[str, Any]:
    arguments = ["--region", region, "eks", "get-token", "--cluster-name", cluster_name, "--output", "json"]
    arguments += ["--role", role] if role else []
    login = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws", "args": arguments}
    server = {"server": state["endpoint"], "certificate-authority-data": state["certificateAuthority"]["data"]}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "kubernetes", "cluster": server}],
        "contexts": [{"name": "aws", "context": {"cluster": "kubernetes", "user": "aws"}}],
        "current-context": "aws",
        "users": [{"name": "aws", "user": {"exec": login}}],
    }


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return value.format(**words)
    if isinstance(value, dict):
        return {key: _filled(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, words) for item in value]
    return value


def _autoname(name: str, urn: str) -> str:
    return f"{name}-{digits(urn)[:7]}"


def digits(urn: str) -> str:
    """The digits from which ids and names of a resource are made up."""
    return hashlib.sha256(urn.encode()).hexdigest()
