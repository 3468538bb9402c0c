"""What EKS offers: the Kubernetes version and the add-ons of a Plan."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from eksml.account import Account
from eksml.plan import Resource
from eksml.preflight.basis import Basis
from eksml.preflight.finding import Answer, Question, error, ok, warning

_ADDON = "aws:eks/addon:Addon"
# What a pulumi_eks.Cluster installs by itself, and where it is told the version.
_FIRST_ADDONS = {"kube-proxy": ("kubeProxyAddonOptions", "version"), "vpc-cni": ("vpcCniOptions", "addonVersion")}


def questions(basis: Basis) -> Iterator[Question]:
    """Whether EKS offers the version of a new cluster, and each add-on in its version for it."""
    version = version_of(basis)
    if version is None:
        return
    if basis.cluster:
        yield Question(f"Kubernetes {version}", partial(_version, basis.cluster, version))
    for name, wanted in sorted(_addons(basis).items()):
        yield Question(f"the add-on {name} {wanted}", partial(_addon, name, wanted, version))


def version_of(basis: Basis) -> str | None:
    """The Kubernetes version of the cluster, as far as the Plan says."""
    if basis.cluster:
        return str(basis.cluster.inputs.get("version") or "") or None
    return (basis.existing_cluster or {}).get("kubernetesVersion")


def _version(cluster: Resource, version: str, account: Account) -> Iterator[Answer]:
    offered = {
        each["clusterVersion"]: each
        for each in account.all("eks", "describe_cluster_versions", "clusterVersions", includeAll=True)
    }
    usable = [name for name, each in offered.items() if each.get("versionStatus") != "UNSUPPORTED"]
    newest = sorted(usable, key=_numbers, reverse=True)
    status = offered.get(version, {}).get("versionStatus")
    policy = (cluster.inputs.get("upgradePolicy") or {}).get("supportType")
    if version not in usable:
        yield error(f"is not offered in {account.region}", f"set cluster.kubernetesVersion to one of {_list(newest)}")
    elif status == "EXTENDED_SUPPORT" and policy == "STANDARD":
        yield error(
            "is in extended support, and the upgrade policy is standard",
            f"set cluster.kubernetesVersion to one of {_list(newest)}, or cluster.upgradePolicy: extended",
        )
    elif status == "EXTENDED_SUPPORT":
        yield warning("is in extended support, which costs more", "set cluster.kubernetesVersion to a newer one")
    else:
        yield ok(f"offered in {account.region}, in standard support")


def _addons(basis: Basis) -> dict[str, str]:
    found = {
        str(each.inputs["addonName"]): str(each.inputs["addonVersion"])
        for each in basis.whole.of_type(_ADDON)
        if each.inputs.get("addonVersion")
    }
    inputs = basis.cluster.inputs if basis.cluster else {}
    for name, (options, key) in _FIRST_ADDONS.items():
        if version := (inputs.get(options) or {}).get(key):
            found[name] = str(version)
    return found


def _addon(name: str, wanted: str, version: str, account: Account) -> Iterator[Answer]:
    addons = account.all("eks", "describe_addon_versions", "addons", addonName=name, kubernetesVersion=version)
    offered = [each["addonVersion"] for addon in addons for each in addon.get("addonVersions", ())]
    if wanted in offered:
        yield ok(f"offered for {version} in {account.region}")
    elif offered:
        near = sorted(offered, key=_numbers, reverse=True)
        yield error(
            f"is not offered for {version} in {account.region}",
            f"take a newer eksml, whose catalog names one of {_list(near)}",
        )
    else:
        yield error(f"is not offered for {version} in {account.region} in any version", "leave it out, or ask AWS")


def _list(words: list[str]) -> str:
    return ", ".join(words[:3])


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]
