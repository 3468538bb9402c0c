"""What the members of a team may do in its namespace.

Not Kubernetes' own role `edit`: with that a team could take away the network policies that keep it apart.
"""

import pulumi_kubernetes as k8s

_READ = ["get", "list", "watch"]
_ALL = [*_READ, "create", "update", "patch", "delete", "deletecollection"]


def _rule(group: str, resources: list[str], verbs: list[str]) -> k8s.rbac.v1.PolicyRuleArgs:
    return k8s.rbac.v1.PolicyRuleArgs(api_groups=[group], resources=resources, verbs=verbs)


# What belongs to no namespace, but has to be named in one: classes of storage and of priority, flavors, runtimes.
READABLE: tuple[k8s.rbac.v1.PolicyRuleArgs, ...] = (
    _rule("storage.k8s.io", ["storageclasses"], _READ),
    _rule("kueue.x-k8s.io", ["resourceflavors", "workloadpriorityclasses"], _READ),
    _rule("serving.kserve.io", ["clusterservingruntimes"], _READ),
    _rule("trainer.kubeflow.org", ["clustertrainingruntimes"], _READ),
)

PERMISSIONS: tuple[k8s.rbac.v1.PolicyRuleArgs, ...] = (
    _rule("", ["pods", "services", "configmaps", "secrets", "persistentvolumeclaims"], _ALL),
    _rule("", ["pods/exec", "pods/portforward"], ["create", "get"]),
    _rule("", ["pods/log", "pods/status", "events", "resourcequotas", "limitranges", "serviceaccounts"], _READ),
    _rule("apps", ["deployments", "deployments/scale", "statefulsets", "statefulsets/scale"], _ALL),
    # Those of Deployments are no business of people: what they would start passes the queue of the Deployment.
    _rule("apps", ["replicasets"], _READ),
    _rule("batch", ["jobs", "cronjobs"], _ALL),
    _rule("autoscaling", ["horizontalpodautoscalers"], _ALL),
    _rule("policy", ["poddisruptionbudgets"], _ALL),
    _rule("networking.k8s.io", ["ingresses"], _ALL),
    _rule("networking.k8s.io", ["networkpolicies"], _READ),
    _rule("metrics.k8s.io", ["pods"], _READ),
    _rule("kueue.x-k8s.io", ["localqueues", "workloads"], _READ),
    # The kinds of jobs and servers that operators run; a rule for a kind that is not there does nothing.
    # To promote a version or to give it up is a change of a Rollout's status.
    _rule("argoproj.io", ["analysisruns", "analysistemplates", "rollouts", "rollouts/scale", "rollouts/status"], _ALL),
    _rule("jobset.x-k8s.io", ["jobsets"], _ALL),
    _rule("kubeflow.org", ["jaxjobs", "mpijobs", "paddlejobs", "pytorchjobs", "tfjobs", "xgboostjobs"], _ALL),
    _rule("leaderworkerset.x-k8s.io", ["leaderworkersets"], _ALL),
    _rule("ray.io", ["rayclusters", "raycronjobs", "rayjobs", "rayservices"], _ALL),
    _rule("serving.kserve.io", ["inferenceservices"], _ALL),
    _rule("trainer.kubeflow.org", ["trainjobs"], _ALL),
)
