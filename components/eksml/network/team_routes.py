"""What a team may do with the routes of its entry, and what each of them must be."""

from __future__ import annotations

from typing import Any

import pulumi_kubernetes as k8s

from eksml import names

RULES_KIND = "ListenerRuleConfiguration"
READ = ["get", "list", "watch"]
_ALL = [*READ, "create", "update", "patch", "delete", "deletecollection"]


def _rule(group: str, resources: list[str], verbs: list[str]) -> k8s.rbac.v1.PolicyRuleArgs:
    return k8s.rbac.v1.PolicyRuleArgs(api_groups=[group], resources=resources, verbs=verbs)


# Not what decides who reaches the entry.
MEMBERS_RULES: tuple[k8s.rbac.v1.PolicyRuleArgs, ...] = (
    _rule("gateway.networking.k8s.io", ["httproutes", "grpcroutes"], _ALL),
    _rule("gateway.k8s.aws", ["targetgroupconfigurations"], _ALL),
    _rule("gateway.networking.k8s.io", ["gateways"], READ),
    _rule("gateway.k8s.aws", ["listenerruleconfigurations", "loadbalancerconfigurations"], READ),
)


def routes_policy(team: str) -> Any:
    """What a route in the team's namespace must be, in the Common Expression Language.

    Authentication is part of a rule, so a rule without it would let anybody in; on the listener for plain HTTP it
    cannot be at all.
    """
    filters = "rule.?filters.orValue([]).exists(filter, {})"
    of_entry = (
        "filter.type == 'ExtensionRef'"
        f" && filter.extensionRef.kind == '{RULES_KIND}' && filter.extensionRef.name == '{names.ENTRY}'"
    )
    redirects = filters.format("filter.type == 'RequestRedirect'")
    return {
        "failure_policy": "Fail",
        "match_constraints": {
            "namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": team}},
            "resource_rules": [
                {
                    "api_groups": ["gateway.networking.k8s.io"],
                    "api_versions": ["*"],
                    "resources": ["httproutes", "grpcroutes"],
                    "operations": ["CREATE", "UPDATE"],
                }
            ],
        },
        "variables": [
            {"name": "rules", "expression": "object.spec.?rules.orValue([])"},
            {"name": "onlyRedirects", "expression": f"variables.rules.all(rule, {redirects})"},
        ],
        "validations": [
            {
                "expression": f"variables.onlyRedirects || variables.rules.all(rule, {filters.format(of_entry)})",
                "message": f"each rule of a route has the filter ExtensionRef to the {RULES_KIND} {names.ENTRY}",
            },
            {
                "expression": "variables.onlyRedirects || object.spec.?parentRefs.orValue([]).all(parent,"
                f" parent.?sectionName.orValue('') == '{names.ENTRY}')",
                "message": f"a route names the listener of its Gateway, sectionName: {names.ENTRY}",
            },
        ],
    }
