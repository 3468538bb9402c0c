"""What an account answers in which everything is as the three stacks need it, where moto has no answer."""

from __future__ import annotations

from typing import Any

from eksml import catalog

USER = "arn:aws:iam::123456789012:user/founder"
_VERSIONS = ("1.34", "1.35", "1.36")


def _allowed(parameters: Any) -> dict[str, Any]:
    results = [
        {"EvalActionName": action, "EvalResourceName": "*", "EvalDecision": "allowed"}
        for action in parameters["ActionNames"]
    ]
    return {"EvaluationResults": results, "IsTruncated": False}


def _addon(parameters: Any) -> dict[str, Any]:
    version = catalog.eks_addons()[parameters["addonName"]].versions[parameters["kubernetesVersion"]]
    return {"addons": [{"addonName": parameters["addonName"], "addonVersions": [{"addonVersion": version}]}]}


def _orderable(parameters: Any) -> dict[str, Any]:
    options = [
        {
            "Engine": "postgres",
            "EngineVersion": version.minor,
            "DBInstanceClass": parameters["DBInstanceClass"],
            "MultiAZCapable": True,
            "StorageType": "gp3",
        }
        for version in catalog.databases().versions.values()
    ]
    return {"OrderableDBInstanceOptions": options}


READY: dict[str, Any] = {
    "sts.GetCallerIdentity": {"Account": "123456789012", "Arn": USER, "UserId": "AIDA"},
    "iam.SimulatePrincipalPolicy": _allowed,
    "iam.GetRole": {"Role": {"RoleName": "there", "Arn": "arn:aws:iam::123456789012:role/there"}},
    "ec2.DescribeCapacityReservations": {"CapacityReservations": []},
    "service-quotas.GetServiceQuota": {"Quota": {"Value": 5000.0}},
    "eks.DescribeClusterVersions": {
        "clusterVersions": [{"clusterVersion": each, "versionStatus": "STANDARD_SUPPORT"} for each in _VERSIONS]
    },
    "eks.DescribeAddonVersions": _addon,
    "cognito-idp.DescribeUserPoolDomain": {"DomainDescription": {}},
    "rds.DescribeOrderableDBInstanceOptions": _orderable,
}
