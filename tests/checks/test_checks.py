"""Every check: quiet on the three stacks, and loud about a fault that is planted in one of them."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from checks.test_servers import FAULTS as SERVER_FAULTS
from eksml import catalog, names
from eksml.check_list import CHECKS, Severity
from eksml.checks import run_checks
from eksml.checks.nodes import nodes_of
from eksml.checks.quantities import amount_of
from eksml.checks.run import _FUNCTIONS, as_json
from eksml.checks.workloads import Workload, workloads_of
from eksml.plan import Plan, Resource
from eksml.plan.model import STACK_REFERENCE_TYPE, UNKNOWN
from eksml.profiles import PROFILES
from programs import stack_plan

ROOT = Path(__file__).parents[2]
RELEASE = "kubernetes:helm.sh/v3:Release"
DIRECTORY = "kubernetes:kustomize/v2:Directory"
THEIR_MPI = "https://github.com/kubeflow/mpi-operator//manifests/overlays/standalone"
JOB = "kubernetes:batch/v1:Job"
KUEUE = catalog.charts()["kueue"].chart
NAMESPACE = "kubernetes:core/v1:Namespace"
PROVIDER = "pulumi:providers:kubernetes"


def planted(fault: Callable[[dict[str, Resource]], None], name: str = "production") -> Plan:
    """A stack with a fault in it: the function changes the resources, which it gets by URN."""
    resources = {each.urn: replace(each, inputs=deepcopy(dict(each.inputs))) for each in stack_plan(name).resources}
    fault(resources)
    return Plan.of(name, resources.values(), stack_plan(name).exports)


def found(plan: Plan, check: str) -> list[str]:
    return [f"{finding.resource}: {finding.text}" for finding in run_checks(plan).findings if finding.check == check]


def the(resources: dict[str, Resource], resource_type: str, ending: str = "") -> Resource:
    (one,) = [each for each in resources.values() if each.type == resource_type and each.name.endswith(ending)]
    return one


def change(resource_type: str, ending: str, path: str, value: Any) -> Callable[[dict[str, Resource]], None]:
    """A fault: an input at a path set to something else, or taken away."""

    def fault(resources: dict[str, Resource]) -> None:
        holder: Any = the(resources, resource_type, ending).inputs
        *way, last = path.split("/")
        for step in way:
            holder = holder[int(step) if step.isdigit() else step]
        if value is None:
            del holder[last]
        else:
            holder[last] = value

    return fault


def add(resource_type: str, name: str, inputs: dict[str, Any], **more: Any) -> Callable[[dict[str, Resource]], None]:
    """A fault: a resource that should not be there, or not so."""

    def fault(resources: dict[str, Resource]) -> None:
        urn = f"urn:pulumi:production::eksml::{resource_type}::{name}"
        provider = next(each.urn for each in resources.values() if each.type == PROVIDER)
        fields: dict[str, Any] = {"provider": provider if resource_type.startswith("kubernetes") else None, **more}
        resources[urn] = Resource(urn, resource_type, name, None, True, inputs=inputs, **fields)

    return fault


def take_away(resource_type: str) -> Callable[[dict[str, Resource]], None]:
    """A fault: no resource of a type is there."""

    def fault(resources: dict[str, Resource]) -> None:
        for urn in [each.urn for each in resources.values() if each.type == resource_type]:
            del resources[urn]

    return fault


def job(
    name: str = "job", metadata: dict[str, Any] | None = None, spec: dict[str, Any] | None = None, **pod: Any
) -> Callable[[dict[str, Resource]], None]:
    container = {
        "name": "main",
        "image": "busybox:1.37",
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
    }
    template = {"spec": {"containers": [container | pod.pop("container", {})], **pod}}
    inputs = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, **(metadata or {})},
        "spec": {"template": template, **(spec or {})},
    }
    return add(JOB, name, inputs)


def required(*terms: dict[str, Any]) -> dict[str, Any]:
    """An affinity to nodes."""
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}


def by_name(operator: str) -> dict[str, Any]:
    return required({"matchFields": [{"key": "metadata.name", "operator": operator, "values": ["ip-10-0-0-1"]}]})


def chart(values: dict[str, Any], name: str = "portal") -> Callable[[dict[str, Resource]], None]:
    """A chart that the catalog does not know."""
    return add(RELEASE, name, {"chart": f"oci://example.com/charts/{name}", "version": "1.0.0", "values": values})


def asking(**resources: str) -> dict[str, Any]:
    limits = {key: value for key, value in resources.items() if key != "cpu"}
    return {"resources": {"requests": dict(resources), "limits": {"memory": "1Gi", **limits}}}


DISK = {"cpu": "1", "memory": "1Gi"}
IN_TRAINING = {"namespace": "training"}


def train_job(pool: str, **trainer: Any) -> Callable[[dict[str, Resource]], None]:
    """A TrainJob, whose pods only its runtime has whole."""
    node = {"containers": [{"name": "node"}], "nodeSelector": {"eksml.dev/pool": pool}}
    template = {"spec": {"replicatedJobs": [{"name": "node", "template": {"spec": {"template": {"spec": node}}}}]}}
    spec = {"trainer": trainer, "runtimePatches": [{"trainingRuntimeSpec": {"template": template}}]}
    kind = "TrainJob"
    return add(
        "kubernetes:trainer.kubeflow.org/v1alpha1:TrainJob",
        "fit",
        {"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": kind, "metadata": {"name": "fit"}, "spec": spec},
    )


def custom_job(api_version: str, kind: str, **metadata: Any) -> Callable[[dict[str, Resource]], None]:
    """A job of a kind that an operator brings."""
    metadata = {"name": "fit", **IN_TRAINING, **metadata}
    return add(
        f"kubernetes:{api_version}:{kind}",
        "fit",
        {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": {}},
    )


def reader(namespace: str = "serving", **pod: Any) -> Callable[[dict[str, Resource]], None]:
    """A pod that needs something."""
    metadata = {"name": "reader", "namespace": namespace}
    return add(
        "kubernetes:core/v1:Pod", "reader", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod}
    )


WANDB = [{"name": "WANDB_API_KEY", "valueFrom": {"secretKeyRef": {"name": "wandb", "key": "api-key"}}}]
MLFLOW = [{"name": "MLFLOW_TRACKING_URI", "value": names.MLFLOW_URL}]


def without_namespace(namespace: str) -> Callable[[dict[str, Resource]], None]:
    """A fault: nothing makes a namespace."""

    def fault(resources: dict[str, Resource]) -> None:
        for urn, each in list(resources.items()):
            if each.type == NAMESPACE and each.inputs["metadata"]["name"] == namespace:
                del resources[urn]

    return fault


def of_team(kind: str, name: str) -> Callable[[dict[str, Resource]], None]:
    """An object of a kind of Kubernetes' core in the namespace of a team."""
    metadata = {"name": name, "namespace": "serving"}
    return add(f"kubernetes:core/v1:{kind}", name, {"apiVersion": "v1", "kind": kind, "metadata": metadata})


def config_map(name: str, namespace: str = "serving", **more: Any) -> Callable[[dict[str, Resource]], None]:
    metadata = {"name": "resnet-code", "namespace": namespace}
    inputs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    return add("kubernetes:core/v1:ConfigMap", name, inputs, **more)


def patch(name: str) -> Callable[[dict[str, Resource]], None]:
    metadata = {"name": "resnet-code", "namespace": "serving"}
    return add("kubernetes:core/v1:ConfigMapPatch", name, {"kind": "ConfigMap", "metadata": metadata})


def both(*faults: Callable[[dict[str, Resource]], None]) -> Callable[[dict[str, Resource]], None]:
    """Several faults, one after the other."""

    def fault(resources: dict[str, Resource]) -> None:
        for each in faults:
            each(resources)

    return fault


SPOT = {"karpenter.sh/capacity-type": "spot"}
GPU = {"nvidia.com/gpu": "1", "memory": "1Gi"}
TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists"}
DAEMON_SET: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "logs"},
    "spec": {
        "template": {
            "spec": {
                "tolerations": [TOLERATION],
                "containers": [
                    {
                        "name": "logs",
                        "image": "busybox:1.37",
                        "resources": {"requests": {"cpu": "10m"}, "limits": {"memory": "64Mi"}},
                    }
                ],
            }
        }
    },
}
PUBLIC = "service.beta.kubernetes.io/aws-load-balancer-scheme"
INTERNAL = "service.beta.kubernetes.io/aws-load-balancer-internal"
EVERYTHING = '{"Statement": {"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}}'
INTERNET_FACING = {"scheme": "internet-facing"}
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"type": "LoadBalancer"}}
NODE_CLASS = "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"
NODE_POOL = "kubernetes:karpenter.sh/v1:NodePool"
EARLY_POOL = {"kind": "NodePool", "metadata": {}, "spec": {"limits": {"cpu": 1}}}
ASSOCIATION = "aws:eks/podIdentityAssociation:PodIdentityAssociation"


def dashboard(query: str) -> Callable[[dict[str, Resource]], None]:
    """A dashboard with one query."""
    text = json.dumps({"panels": [{"targets": [{"expr": query}]}]})
    metadata = {"name": "mine", "namespace": "observability", "labels": {"grafana_dashboard": "1"}}
    return add("kubernetes:core/v1:ConfigMap", "mine", {"metadata": metadata, "data": {"mine.json": text}})


def unmeasured_queues(resources: dict[str, Resource]) -> None:
    """A dashboard of queues, where Kueue is not measured."""
    next(each for each in resources.values() if each.inputs.get("chart") == KUEUE).inputs["values"].pop(
        "enablePrometheus", None
    )
    dashboard("sum(kueue_pending_workloads)")(resources)


def rule(query: str) -> Callable[[dict[str, Resource]], None]:
    """A rule of Prometheus."""
    groups = [{"name": "mine", "rules": [{"alert": "Mine", "expr": query}]}]
    inputs = {"kind": "PrometheusRule", "metadata": {"name": "mine"}, "spec": {"groups": groups}}
    return add("kubernetes:monitoring.coreos.com/v1:PrometheusRule", "mine", inputs)


SECRETS_STORE = "aws-secrets-store-csi-driver-provider"
SECRET_CLASS = "kubernetes:secrets-store.csi.x-k8s.io/v1:SecretProviderClass"
SECRETS = {
    "apiVersion": "secrets-store.csi.x-k8s.io/v1",
    "kind": "SecretProviderClass",
    "metadata": {"name": "password", "namespace": "serving"},
    "spec": {"provider": "aws"},
}

FAULTS: list[tuple[str, Callable[[dict[str, Resource]], None], str]] = [
    ("workload-has-nodes", train_job("trian"), "fit: fit: no pool has eksml.dev/pool: trian, did you mean 'train'?"),
    ("pinned", train_job("train", image="pytorch/pytorch:latest"), "fit: fit: image pytorch/pytorch:latest"),
    (
        "metric-exported",
        rule("kube_pod_status_unschedulabel > 0"),
        "mine: asks for kube_pod_status_unschedulabel, which nothing on this platform exports, did you mean",
    ),
    (
        "metric-exported",
        rule("certmanager_certificate_expiration_timestamp_seconds - time() < 1"),
        "mine: asks for certmanager_certificate_expiration_timestamp_seconds, which Prometheus reads from cert-manager",
    ),
    (
        "dashboard-measured",
        dashboard("avg(DCGM_FI_DEV_GPU_UTILS)"),
        "mine: shows DCGM_FI_DEV_GPU_UTILS, which nothing in the catalog exports, did you mean 'DCGM_FI_DEV_GPU_UTIL'?",
    ),
    (
        "dashboard-measured",
        unmeasured_queues,
        "mine: shows kueue_pending_workloads of Kueue, which nothing on this platform measures",
    ),
    (
        "request-fits-node",
        train_job("system", resourcesPerNode={"requests": {"cpu": "900m", "memory": "4Ti"}}),
        "fit: fit: asks for 0.9 vCPUs, 4194304 MiB of memory, more than is left on any of m7i.xlarge",
    ),
    (
        "workload-has-nodes",
        job(nodeSelector={"eksml.dev/pool": "trian"}),
        "job: job: no pool has eksml.dev/pool: trian, did you mean 'train'?",
    ),
    (
        "workload-has-nodes",
        job(nodeSelector={"eksml.dev/pool": "train"}, container=asking(**GPU)),
        "job: job: does not tolerate the taints of the pools it chooses",
    ),
    (
        "workload-has-nodes",
        job(nodeSelector={"eksml.dev/pool": "system"}, container=asking(**GPU)),
        "job: job: asks for nvidia.com/gpu, which no pool that it can use has",
    ),
    (
        "workload-has-nodes",
        change(RELEASE, "kueue-kueue", "values/controllerManager/nodeSelector", {"disk": "ssd"}),
        "eksml-production-kueue-kueue: kueue-controller-manager: no pool has the labels",
    ),
    (
        "workload-has-nodes",
        job(affinity=by_name("In")),
        "job: job: asks for a node by its name, which none has before it is",
    ),
    (
        "workload-has-nodes",
        job(nodeSelector={"eksml.dev/pool": "train", **SPOT}, tolerations=[TOLERATION], container=asking(**GPU)),
        "job: job: no pool has the labels that it asks for: eksml.dev/pool: train, karpenter.sh/capacity-type: sp",
    ),
    (
        "workload-has-nodes",
        job(nodeSelector={"eksml.dev/pool": "serve", **SPOT}, tolerations=[TOLERATION], container=asking(**GPU)),
        "job: job: no pool has the labels that it asks for: eksml.dev/pool: serve, karpenter.sh/capacity-type: sp",
    ),
    ("workload-has-nodes", job(affinity=required({})), "job: job: no pool has the labels that it asks for"),
    (
        "request-fits-node",
        job(nodeSelector={"eksml.dev/pool": "system"}, container=asking(**DISK | {"ephemeral-storage": "45Gi"})),
        "job: job: asks for 1 vCPUs, 46080 MiB of disk, 1024 MiB of memory, more than is left on",
    ),
    (
        "request-fits-node",
        job(
            nodeSelector={"eksml.dev/pool": "burst"},
            tolerations=[TOLERATION],
            container=asking(**DISK | {"ephemeral-storage": "4Ti"}),
        ),
        "job: job: asks for 1 vCPUs, 4194304 MiB of disk, 1024 MiB of memory, more than is left on",
    ),
    (
        "workload-has-nodes",
        change(DIRECTORY, "training-operator", "patches/2/spec/template/spec/nodeSelector", {"disk": "ssd"}),
        "eksml-production-training-operator: training-operator: no pool has the labels",
    ),
    (
        "request-fits-node",
        change(DIRECTORY, "mpi-operator", "patches/1/spec/template/spec/containers/0/resources/requests/cpu", "5"),
        "eksml-production-mpi-operator: mpi-operator: asks for 5 vCPUs",
    ),
    (
        "request-fits-node",
        job(container=asking(cpu="4", memory="1Gi")),
        "job: job: asks for 4 vCPUs, 1024 MiB of memory, more than is left on any of m7i.xlarge",
    ),
    (
        "request-fits-node",
        job(tolerations=[TOLERATION], container=asking(**{"nvidia.com/gpu": "8", "memory": "1Gi"})),
        "job: job: asks for 1024 MiB of memory, 8 nvidia.com/gpu, more than is left on any of",
    ),
    (
        "daemon-set-on-gpu-nodes",
        change(RELEASE, "gpus-dcgm-exporter", "values/tolerations", None),
        "eksml-production-gpus-dcgm-exporter: dcgm-exporter: runs on GPU nodes, but does not tolerate",
    ),
    (
        "daemon-set-on-gpu-nodes",
        change("aws:eks/addon:Addon", "eks-node-monitoring-agent", "configurationValues", None),
        "eksml-production-eks-node-monitoring-agent: dcgm-server: runs on GPU nodes, but does not tolerate",
    ),
    (
        "daemon-set-on-gpu-nodes",
        change(DIRECTORY, "training-operator", "patches/2/spec/template/spec/tolerations", [TOLERATION]),
        "eksml-production-training-operator: training-operator: needs no GPU, but tolerates",
    ),
    ("daemon-set-on-gpu-nodes", add("kubernetes:apps/v1:DaemonSet", "logs", DAEMON_SET), "logs: logs: needs no GPU"),
    (
        "gpu-pool-tainted",
        change(NODE_POOL, "serve", "spec/template/spec/taints", None),
        "eksml-production-serve: has GPUs",
    ),
    (
        "gpu-pool-tainted",
        change("aws:eks/nodeGroup:NodeGroup", "train", "taints", []),
        "eksml-production-train: has GPUs (g6.12xlarge) and no taint",
    ),
    ("elastic-pool-limited", change(NODE_POOL, "serve", "spec/limits", None), "eksml-production-serve: has no limit"),
    (
        "elastic-pool-limited",
        change(NODE_POOL, "serve", "spec/limits", {"cpu": 10}),
        "eksml-production-serve: has no limit of nvidia.com/gpu",
    ),
    ("pinned", change(RELEASE, "kueue-kueue", "version", None), "eksml-production-kueue-kueue: chart oci://"),
    ("pinned", job(container={"image": "busybox"}), "job: job: image busybox has no fixed tag"),
    (
        "pinned",
        job(container={"image": "localhost:5000/busybox:latest"}),
        "job: job: image localhost:5000/busybox:latest",
    ),
    (
        "pinned",
        change(RELEASE, "kueue-kueue", "values/controllerManager/manager/image", {"tag": "main"}),
        "eksml-production-kueue-kueue: kueue-controller-manager: image registry.k8s.io/kueue/kueue:main has no fixed",
    ),
    (
        "pinned",
        change(RELEASE, "dcgm-exporter", "values/image", {"repository": "example.com/dcgm", "tag": "latest"}),
        "eksml-production-gpus-dcgm-exporter: dcgm-exporter: image example.com/dcgm:latest has no fixed tag",
    ),
    (
        "pinned",
        chart({"web": {"image": {"repository": "example.com/web", "tag": "latest"}}}),
        "portal: image example.com/web:latest has no fixed tag",
    ),
    ("pinned", job(initContainers=[{"name": "first", "image": "busybox"}]), "job: job: image busybox has no fixed tag"),
    (
        "pinned",
        change(DIRECTORY, "mpi-operator", "overlay", f"{THEIR_MPI}?ref=master"),
        f"eksml-production-mpi-operator: overlay {THEIR_MPI}?ref=master has no fixed tag",
    ),
    (
        "pinned",
        change(DIRECTORY, "mpi-operator", "images", {"mpioperator/mpi-operator": "mpioperator/mpi-operator:latest"}),
        "eksml-production-mpi-operator: mpi-operator: image mpioperator/mpi-operator:latest has no fixed",
    ),
    (
        "chart-value-exists",
        change(RELEASE, "kueue-kueue", "values/controllerManager/replica", 3),
        "eksml-production-kueue-kueue: chart kueue has no value controllerManager.replica",
    ),
    ("not-public", add("kubernetes:core/v1:Service", "web", SERVICE), "web: a load balancer that the internet reaches"),
    (
        "not-public",
        add("aws:lb/loadBalancer:LoadBalancer", "web", {}),
        "web: a load balancer that the internet reaches",
    ),
    (
        "not-public",
        add("kubernetes:gateway.k8s.aws/v1beta1:LoadBalancerConfiguration", "web", {"spec": INTERNET_FACING}),
        "web: a load balancer that the internet reaches",
    ),
    (
        "not-public",
        add("kubernetes:elbv2.k8s.aws/v1beta1:IngressClassParams", "web", {"spec": INTERNET_FACING}),
        "web: a load balancer that the internet reaches",
    ),
    (
        "not-public",
        add("aws:rds/instance:Instance", "experiments", {"publiclyAccessible": True, "storageEncrypted": True}),
        "experiments: has an address that the internet reaches: set publiclyAccessible to false",
    ),
    (
        "encrypted",
        add("aws:rds/instance:Instance", "experiments", {"publiclyAccessible": False}),
        "experiments: is not encrypted: storageEncrypted is not set",
    ),
    (
        "database-recoverable",
        add("aws:rds/instance:Instance", "experiments", {"backupRetentionPeriod": 0}),
        "experiments: has no backups: set backupRetentionPeriod to a week or more",
    ),
    (
        "database-recoverable",
        add("aws:rds/instance:Instance", "experiments", {"backupRetentionPeriod": 7, "skipFinalSnapshot": True}),
        "experiments: is deleted without a last snapshot: set deletionProtection, or skipFinalSnapshot to false",
    ),
    (
        "not-public",
        chart({"proxy": {"service": {"type": "LoadBalancer", "annotations": {}}}}),
        "portal: its value proxy.service makes a load balancer that the internet reaches",
    ),
    (
        "not-public",
        chart({"servers": [{"serviceType": "LoadBalancer", "serviceAnnotations": {PUBLIC: "internet-facing"}}]}),
        "portal: its value servers.0 makes a load balancer that the internet reaches",
    ),
    (
        "not-public",
        chart({"ingress": {"annotations": {"alb.ingress.kubernetes.io/scheme": "internet-facing"}}}),
        "portal: its value ingress.annotations makes a load balancer that the internet reaches",
    ),
    (
        "not-public",
        chart({"extraObjects": [SERVICE]}),
        "portal: its value extraObjects.0 makes a load balancer that the internet reaches",
    ),
    (
        "https-feature-needs-tls",
        add(
            "kubernetes:networking.k8s.io/v1:Ingress",
            "web",
            {"metadata": {"annotations": {"alb.ingress.kubernetes.io/auth-type": "oidc"}}},
        ),
        "web: its annotation auth-type needs HTTPS: give certificate-arn, or HTTPS among listen-ports",
    ),
    (
        "open-public-endpoint",
        change("eks:index:Cluster", "", "endpointPublicAccess", True),
        "eksml-production: the API server is reachable from the whole internet",
    ),
    (
        "open-public-endpoint",
        change("eks:index:Cluster", "", "endpointPublicAccess", None),
        "eksml-production: the API server is reachable from the whole internet",
    ),
    (
        "not-public",
        change("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "", "blockPublicPolicy", False),
        "eksml-production-models: public access to the bucket is not blocked",
    ),
    (
        "encrypted",
        change("eks:index:Cluster", "", "encryptionConfigKeyArn", None),
        "eksml-production: is not encrypted: encryptionConfigKeyArn is not set",
    ),
    (
        "encrypted",
        change("aws:ec2/launchTemplate:LaunchTemplate", "train", "blockDeviceMappings/0/ebs/encrypted", "false"),
        "eksml-production-train: a disk of its instances is not encrypted",
    ),
    (
        "encrypted",
        change(NODE_CLASS, "serve-class", "spec/blockDeviceMappings", []),
        "eksml-production-serve-class: a disk of its instances is not encrypted",
    ),
    (
        "encrypted",
        change("kubernetes:storage.k8s.io/v1:StorageClass", "", "parameters/encrypted", "false"),
        "eksml-production-storage-gp3: its volumes are not encrypted",
    ),
    (
        "network-policy-enforced",
        change("eks:index:Cluster", "", "vpcCniOptions/enableNetworkPolicy", False),
        "eksml-production: does not enforce the network policies of the stack",
    ),
    (
        "quotas-fit-pools",
        change(NODE_POOL, "burst", "spec/limits", {"nvidia.com/gpu": 8}),
        "eksml-production-kueue-resourceflavor-burst: teams are promised 16 GPUs of pool burst, which holds 8",
    ),
    (
        "quotas-fit-pools",
        change("aws:eks/nodeGroup:NodeGroup", "system", "scalingConfig/desiredSize", 1),
        "eksml-production-kueue-resourceflavor-system: teams are promised 5.88 vCPUs of pool system, "
        "which holds 3920; 21244 MiB of memory of pool system, which holds",
    ),
    (
        "quotas-fit-pools",
        change(NODE_POOL, "burst", "spec/limits", {"nvidia.com/gpu": 16, "memory": "1000Gi"}),
        "eksml-production-kueue-resourceflavor-burst: teams are promised 1440628 MiB of memory of pool burst",
    ),
    (
        "quotas-fit-pools",
        take_away("kubernetes:kueue.x-k8s.io/v1beta2:ClusterQueue"),
        "eksml-production-serving-quota: all namespaces together are promised 64 GPUs, of which the pools hold 48; ",
    ),
    (
        "job-fits-quota",
        job(metadata=IN_TRAINING, spec={"parallelism": 9}, container=asking(**GPU | {"nvidia.com/gpu": "2"})),
        "job: job: 9 pods ask for 9216 MiB of memory, 18 nvidia.com/gpu, more than queue training may ever have of "
        "system (0 nvidia.com/gpu), train (8 nvidia.com/gpu) or burst (16 nvidia.com/gpu)",
    ),
    (
        "job-fits-quota",
        job(metadata=IN_TRAINING, nodeSelector={"eksml.dev/pool": "train"}, container=asking(cpu="100", memory="1Gi")),
        "job: job: asks for 100 vCPUs, 1024 MiB of memory, more than queue training may ever have of train",
    ),
    (
        "job-fits-quota",
        job(metadata=IN_TRAINING, container=asking(**GPU | {"vpc.amazonaws.com/efa": "1"})),
        "job: job: asks for vpc.amazonaws.com/efa, of which queue training has no quota",
    ),
    (
        "job-fits-quota",
        job(metadata=IN_TRAINING, nodeSelector={"eksml.dev/pool": "serve"}, container=asking(**GPU)),
        "job: job: runs on no nodes that queue training has a quota of: system, train, burst",
    ),
    (
        "job-fits-quota",
        job(metadata=IN_TRAINING | {"labels": {"kueue.x-k8s.io/queue-name": "fast"}}, container=asking(**GPU)),
        "job: job: waits in queue fast, which namespace training does not have; it has default",
    ),
    (
        "job-fits-quota",
        both(
            lambda resources: queue(resources, "batch/job", "pod"),
            custom_job("kubeflow.org/v1", "PyTorchJob", labels={"kueue.x-k8s.io/queue-name": "default"}),
        ),
        "fit: is in queue default, but Kueue queues no PyTorchJob: its frameworks are batch/job or pod",
    ),
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
        "custom-resource-after-crd",
        add(
            "kubernetes:karpenter.sh/v1:NodePool",
            "early",
            {"kind": "NodePool", "metadata": {}, "spec": {"limits": {"cpu": 1}}},
        ),
        "early: does not come after what brings the kinds of karpenter.sh",
    ),
    (
        "custom-resource-after-crd",
        add("kubernetes:kubeflow.org/v1:TFJob", "early", {"kind": "TFJob", "metadata": {}, "spec": {}}),
        "early: does not come after what brings the kinds of kubeflow.org",
    ),
    (
        "custom-resource-after-crd",
        both(add("aws:eks/addon:Addon", "secrets", {"addonName": SECRETS_STORE}), add(SECRET_CLASS, "early", SECRETS)),
        "early: does not come after what brings the kinds of secrets-store.csi.x-k8s.io",
    ),
    (
        "own-cluster-provider",
        add("kubernetes:core/v1:ConfigMap", "lost", {"kind": "ConfigMap"}, provider=None),
        "lost: has no Kubernetes provider",
    ),
    (
        "reference-exists",
        custom_job("ray.io/v1", "RayJob"),
        "fit: nothing on this platform brings the kind RayJob: training.kubeRay does",
    ),
    (
        "reference-exists",
        custom_job("trainer.kubeflow.org/v1alpha1", "TrainJob"),
        "fit: nothing on this platform brings the kind TrainJob: training.trainer does",
    ),
    (
        "reference-exists",
        both(take_away(DIRECTORY), custom_job("kubeflow.org/v2beta1", "MPIJob")),
        "fit: nothing on this platform brings the kind MPIJob: training.mpiOperator does",
    ),
    (
        "reference-exists",
        both(take_away(DIRECTORY), custom_job("kubeflow.org/v1", "PyTorchJob")),
        "fit: nothing on this platform brings the kind PyTorchJob: training.trainingOperator does",
    ),
    (
        "reference-exists",
        both(take_away("aws:eks/addon:Addon"), add(SECRET_CLASS, "password", SECRETS)),
        f"password: nothing on this platform brings the kind SecretProviderClass: add-on {SECRETS_STORE} does",
    ),
    (
        "reference-exists",
        both(
            take_away("aws:eks/addon:Addon"),
            reader(volumes=[{"name": "password", "csi": {"driver": "secrets-store.csi.k8s.io", "readOnly": True}}]),
        ),
        "reader: reader: nothing on this platform brings the driver secrets-store.csi.k8s.io: add-on aws-secrets-store",
    ),
    (
        "reference-exists",
        add(
            "kubernetes:karpenter.sh/v1:NodeClaim",
            "lost",
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lost", "namespace": "servng"}},
        ),
        "lost: namespace servng does not exist, did you mean 'serving'?",
    ),
    (
        "reference-exists",
        add(
            "kubernetes:core/v1:PersistentVolumeClaim",
            "home",
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": "home", "namespace": "serving"},
                "spec": {"storageClassName": "efs"},
            },
        ),
        "home: StorageClass efs does not exist, the platform has gp3",
    ),
    (
        "reference-exists",
        add(
            "kubernetes:core/v1:PersistentVolume",
            "disk",
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": "disk"},
                "spec": {"csi": {"driver": "fsx.csi.aws.com"}},
            },
        ),
        "disk: nothing on this platform brings the driver fsx.csi.aws.com: add-on aws-fsx-csi-driver does",
    ),
    (
        "secret-exists",
        reader(
            containers=[
                {
                    "name": "main",
                    "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "key", "key": "a"}}}],
                }
            ]
        ),
        "reader: reader reads secret key in serving: make it first",
    ),
    (
        "secret-exists",
        reader(containers=[{"name": "main", "env": WANDB}]),
        "reader: reader reads secret wandb in serving: tracking.weightsAndBiases makes it for its teams",
    ),
    (
        "reference-exists",
        both(without_namespace("mlflow"), reader(containers=[{"name": "main", "env": MLFLOW}])),
        "reader: reader reports to MLflow, which this platform does not have: give tracking.mlflow",
    ),
    (
        "secret-exists",
        reader(volumes=[{"name": "all", "projected": {"sources": [{"secret": {"name": "key"}}]}}]),
        "reader: reader reads secret key in serving: make it first",
    ),
    (
        "config-map-exists",
        reader(volumes=[{"name": "code", "configMap": {"name": "code"}}]),
        "reader: reader reads ConfigMap code in serving: make it first",
    ),
    (
        "config-map-exists",
        reader(containers=[{"name": "main", "envFrom": [{"configMapRef": {"name": "settings"}}]}]),
        "reader: reader reads ConfigMap settings in serving: make it first",
    ),
    (
        "claim-exists",
        reader(volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "imagenet"}}]),
        "reader: reader mounts claim imagenet in serving: make it first",
    ),
    (
        "reference-exists",
        reader(serviceAccountName="worklaod"),
        "reader: reader: service account worklaod does not exist in serving, did you mean 'workload'?",
    ),
    (
        "identity-used",
        change(
            "aws:eks/podIdentityAssociation:PodIdentityAssociation", "training-workload", "serviceAccount", "worklaod"
        ),
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
            "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
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
            "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
            "wide",
            {"policyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"},
        ),
        "wide: AmazonS3FullAccess allows every action of its service on every resource",
    ),
    ("requests-and-limits", job(container={"resources": {}}), "job: job: container main has no requests and no limits"),
    (
        "requests-and-limits",
        job(initContainers=[{"name": "proxy", "image": "busybox:1.37", "restartPolicy": "Always"}]),
        "job: job: container proxy has no requests and no limits",
    ),
    (
        "requests-and-limits",
        change(DIRECTORY, "mpi-operator", "patches/1/spec/template/spec/containers/0/resources/limits", {"cpu": "1"}),
        "eksml-production-mpi-operator: mpi-operator: container mpi-operator has no limits",
    ),
    (
        "requests-and-limits",
        change(RELEASE, "gpus-nvidia-device-plugin", "values/resources", {"limits": {"memory": "1Gi"}}),
        "eksml-production-gpus-nvidia-device-plugin: gpu-feature-discovery: container gpu-feature-discovery has no req",
    ),
    (
        "nothing-left-behind",
        add(
            "kubernetes:karpenter.sh/v1:NodePool",
            "early",
            {"kind": "NodePool", "metadata": {}, "spec": {"limits": {"cpu": 1}}},
        ),
        "early: does not depend on eksml-production-karpenter-karpenter, which clears up",
    ),
    (
        "nothing-left-behind",
        add("aws:s3/bucket:Bucket", "kept", {}, options={"retainOnDelete": True}),
        "kept: stays after destroy: retainOnDelete is set",
    ),
    ("name-fits", add("aws:iam/role:Role", "r" * 57, {}), f"{'r' * 57}: its name has 65 characters, AWS allows 64"),
    (
        "name-fits",
        add("kubernetes:core/v1:Namespace", "n", {"kind": "Namespace", "metadata": {"name": "n" * 64}}),
        "n: its name has 64 characters, Kubernetes allows 63",
    ),
    (
        "name-fits",
        add("kubernetes:core/v1:ConfigMap", "c", {"metadata": {"name": "c", "labels": {"team": "t" * 64}}}),
        "c: its label team has 64 characters, Kubernetes allows 63",
    ),
    (
        "one-of-a-name",
        both(config_map("one"), config_map("other")),
        "other: ConfigMap serving/resnet-code is made by urn:pulumi:production::eksml::kubernetes:core/v1:Config",
    ),
    (
        "within-budget",
        change("eksml:platform:Platform", "", "spec/budget", {"monthlyUsd": 1000, "onExceed": "fail"}),
        "eksml-production: probably costs $",
    ),
    (
        "waiver-used",
        change("eksml:platform:Platform", "", "spec/waivers", {"tagged": "cost allocation is by account here"}),
        "eksml-production: the waiver 'tagged' allows nothing",
    ),
    (
        "tagged",
        change("aws:sqs/queue:Queue", "", "tags", {"Name": "q"}),
        "eksml-production-karpenter-interruption: has no tag eksml:platform",
    ),
]


def test_every_check_has_a_function_a_severity_and_an_explanation() -> None:
    assert list(_FUNCTIONS) == list(CHECKS)
    assert all(info.explanation.endswith(".") for info in CHECKS.values())


@pytest.mark.parametrize("name", PROFILES)
def test_every_check_is_quiet_on_the_stacks(name: str) -> None:
    assert run_checks(stack_plan(name)).findings == ()


def test_a_dashboard_may_show_a_model_server_that_comes_later_and_what_the_platform_measures() -> None:
    for query in ("sum(vllm:num_requests_waiting)", "avg(DCGM_FI_DEV_GPU_UTIL)", "count(kube_node_info)"):
        assert found(planted(dashboard(query)), "dashboard-measured") == []


def test_a_rule_may_ask_for_what_the_platform_measures_and_what_another_rule_records() -> None:
    for query in ("kubelet_volume_stats_available_bytes < 1", "DCGM_FI_DEV_XID_ERRORS == 79", "up == 0", "vector(1)"):
        assert found(planted(rule(query)), "metric-exported") == []

    def recorded(resources: dict[str, Resource]) -> None:
        rule("team:gpus > 1")(resources)
        made = next(each for each in resources.values() if each.name == "mine")
        made.inputs["spec"]["groups"][0]["rules"].append({"record": "team:gpus", "expr": "count(DCGM_FI_DEV_GPU_TEMP)"})

    assert found(planted(recorded), "metric-exported") == []


def test_every_check_has_a_fault_here() -> None:
    elsewhere = {"image-fits-nodes", "image-registry"} | {check for check, _, _ in SERVER_FAULTS}
    assert {check for check, _, _ in FAULTS} | elsewhere == set(CHECKS)


@pytest.mark.parametrize(("check", "fault", "text"), FAULTS, ids=[f"{check}-{text[:30]}" for check, _, text in FAULTS])
def test_a_planted_fault_is_found(check: str, fault: Callable[[dict[str, Resource]], None], text: str) -> None:
    lines = found(planted(fault), check)
    assert any(line.startswith(text) for line in lines), lines


def test_with_a_registry_of_ones_own_what_comes_from_elsewhere_is_found() -> None:
    def fault(resources: dict[str, Resource]) -> None:
        the(resources, "eksml:platform:Platform").inputs["spec"]["imageRegistry"] = "registry.example.com"
        job()(resources)

    lines = found(planted(fault), "image-registry")
    assert any(
        "chart oci://registry.k8s.io/kueue/charts/kueue is not from registry.example.com" in line for line in lines
    )
    karpenter = catalog.images()["karpenter-controller"]
    assert any(f"image {karpenter.repository}:{karpenter.tag} is not from" in line for line in lines)
    assert "job: job: image busybox:1.37 is not from registry.example.com" in lines
    operator = "eksml-production-training-operator"
    init = "docker.io/library/alpine:3.10"
    assert f"{operator}: image {init}, for pods of jobs, is not from registry.example.com" in lines
    assert any(line.startswith(f"{operator}: training-operator: image ghcr.io/kubeflow/") for line in lines)


def test_what_an_operator_starts_in_pods_of_jobs_without_being_told_is_from_elsewhere() -> None:
    def fault(resources: dict[str, Resource]) -> None:
        the(resources, "eksml:platform:Platform").inputs["spec"]["imageRegistry"] = "registry.example.com"
        change(DIRECTORY, "training-operator", "patches/2/spec/template/spec/containers/0/args", [])(resources)

    lines = found(planted(fault), "image-registry")
    assert any("image docker.io/library/alpine, for pods of jobs, is not from" in line for line in lines), lines


def test_an_overlay_that_the_catalog_does_not_have_starts_nothing_that_is_known() -> None:
    inputs = {"overlay": "https://example.com/theirs//deploy?ref=v1.2.3"}
    directory = Resource("urn", DIRECTORY, "theirs", None, False, inputs=inputs)
    assert workloads_of(Plan.of("s", [directory])) == ()


def test_a_workload_that_a_patch_takes_out_of_its_overlay_does_not_run() -> None:
    def fault(resources: dict[str, Resource]) -> None:
        change(DIRECTORY, "mpi-operator", "patches/1/$patch", "delete")(resources)

    running = {each.name for each in workloads_of(planted(fault))}
    assert "training-operator" in running
    assert "mpi-operator" not in running


@pytest.mark.parametrize(
    ("change_of_image", "text"),
    [
        ({"architectures": ("arm64",)}, "it is built for arm64, the nodes are amd64"),
        ({"compute_capabilities": ("9.0",)}, "its code is for compute capability 9.0, the L4 has 8.9"),
        ({"compute_capabilities": ("8.6", "9.0")}, None),
        ({"cuda": "14.0"}, None),
        ({"cuda": "13.0"}, None),
    ],
)
def test_an_image_that_does_not_run_on_its_nodes_is_found(
    monkeypatch: pytest.MonkeyPatch, change_of_image: dict[str, Any], text: str | None
) -> None:
    known = catalog.images()
    changed = known["nvidia-device-plugin"].model_copy(update=change_of_image)
    monkeypatch.setattr(
        import_module("eksml.catalog.images"), "images", lambda: {**known, "nvidia-device-plugin": changed}
    )
    lines = found(stack_plan("research"), "image-fits-nodes")
    assert bool(lines) == bool(text), lines
    assert text is None or any(line.endswith(text) for line in lines), lines


@pytest.mark.parametrize(
    "where",
    [{"container": {"image": "NAME"}}, {"initContainers": [{"name": "first", "image": "NAME"}]}],
    ids=["container", "initContainer"],
)
@pytest.mark.parametrize("name", ["example.com/tool:1.0", "registry.example.com/example.com/tool:1.0@sha256:0000"])
def test_an_image_is_known_before_the_others_run_and_from_a_registry_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, where: dict[str, Any], name: str
) -> None:
    tool = catalog.images()["nvidia-device-plugin"].model_copy(
        update={"repository": "example.com/tool", "tag": "1.0", "architectures": ("arm64",)}
    )
    monkeypatch.setattr(import_module("eksml.catalog.images"), "images", lambda: {"tool": tool})
    pod = json.loads(json.dumps(where).replace("NAME", name))
    (line,) = found(planted(job(**pod)), "image-fits-nodes")
    assert line.startswith(f"job: job: image {name} on m7i.xlarge: it is built for arm64")


def test_the_operators_images_are_in_folders() -> None:
    release = Resource("urn", RELEASE, "gpus", None, True, inputs={"chart": "gpu-operator", "values": {
        "devicePlugin": {"repository": "example.com/nvidia", "version": "sha256:0000"},
        "migManager": {"version": "main"},
    }})  # fmt: skip
    images = {each.name: each.containers[0]["image"] for each in workloads_of(Plan.of("s", [release]))}
    assert images["nvidia-device-plugin-daemonset"] == "example.com/nvidia/k8s-device-plugin@sha256:0000"
    assert images["nvidia-mig-manager"] == "nvcr.io/nvidia/cloud-native/k8s-mig-manager:main"


@pytest.mark.parametrize("registry", ["", "registry.example.com/docker.io/"])
@pytest.mark.parametrize(("amounts", "is_found"), [(GPU, True), (DISK, False)])
def test_an_image_without_cuda_is_found_where_its_container_asks_for_a_gpu(
    amounts: dict[str, str], is_found: bool, registry: str
) -> None:
    image = f"{registry}{catalog.images()['ray'].reference}"
    fault = job(tolerations=[TOLERATION], container={"image": image, **asking(**amounts)})
    text = f"job: job: image {image} has no CUDA for the nvidia.com/gpu asked for"
    assert found(planted(fault), "image-fits-nodes") == [text] * is_found


def test_a_driver_that_is_too_old_for_an_image_is_named() -> None:
    image = catalog.images()["nvidia-device-plugin"].model_copy(update={"cuda": "13.0"})
    fact = catalog.instance_types()["g6.xlarge"]
    assert image.misfit(fact, driver="570.10") == "CUDA 13.0 needs driver 580, the nodes have 570.10"
    assert image.misfit(fact, driver="580.178") is None
    assert image.misfit(fact, driver=None) is None, "not known is not wrong"


@pytest.mark.parametrize(
    ("image", "cuda"),
    [
        ("pytorch/pytorch:2.0.1-cuda11.7-cudnn8-runtime", "11.7"),
        ("rayproject/ray-llm:2.58.0-py312-cu130", "13.0"),
        ("registry.example.com:5000/x/cuda12.4:1.0-cudnn9", None),
        ("registry.example.com/x@sha256:0000", None),
    ],
)
def test_an_image_that_the_catalog_lacks_has_the_cuda_of_its_tag(image: str, cuda: str | None) -> None:
    assert catalog.image_of(image).cuda == cuda


def test_code_for_a_gpu_needs_a_cuda_that_knows_it() -> None:
    h100, l4 = catalog.instance_types()["p5.48xlarge"], catalog.instance_types()["g6.xlarge"]
    old, new = catalog.image_of("example.com/x:1-cuda11.7"), catalog.image_of("example.com/x:1-cuda11.8")
    assert old.misfit(h100, None) == "CUDA 11.7 has no code for the H100, compute capability 9.0: CUDA 11.8 has"
    assert new.misfit(h100, None) is old.misfit(l4, None) is None


def test_a_waiver_allows_a_finding_and_its_reason_stays_to_be_read() -> None:
    def fault(resources: dict[str, Resource]) -> None:
        change(NODE_POOL, "burst", "spec/limits", None)(resources)
        waivers = {"elastic-pool-limited": "the account has a quota"}
        the(resources, "eksml:platform:Platform").inputs["spec"]["waivers"] = waivers

    report = run_checks(planted(fault))
    assert report.errors == ()
    ((finding, reason),) = report.waived
    assert (finding.check, reason) == ("elastic-pool-limited", "the account has a quota")
    assert as_json(report) == [
        {
            "check": "elastic-pool-limited",
            "severity": "error",
            "resource": "eksml-production-burst",
            "urn": finding.urn,
            "text": finding.text,
            "waiver": "the account has a quota",
        }
    ]


def with_waivers(waivers: dict[str, str], *faults: Callable[[dict[str, Resource]], None]) -> Plan:
    def fault(resources: dict[str, Resource]) -> None:
        for each in faults:
            each(resources)
        the(resources, "eksml:platform:Platform").inputs["spec"]["waivers"] = waivers

    return planted(fault)


def test_a_waiver_of_one_resource_hides_no_other() -> None:
    public = [add("kubernetes:core/v1:Service", name, SERVICE) for name in ("web", "forgotten")]
    report = run_checks(with_waivers({"not-public:web": "the demo is public on purpose"}, *public))
    assert [finding.resource for finding in report.findings if finding.check == "not-public"] == ["forgotten"]
    assert [(finding.resource, reason) for finding, reason in report.waived] == [
        ("web", "the demo is public on purpose")
    ]


def test_the_waiver_of_one_resource_gives_the_reason_where_all_are_waived() -> None:
    public = [add("kubernetes:core/v1:Service", name, SERVICE) for name in ("web", "other")]
    waivers = {"not-public": "a course for everybody", "not-public:web": "the demo is public on purpose"}
    report = run_checks(with_waivers(waivers, *public))
    assert [reason for _, reason in report.waived] == ["a course for everybody", "the demo is public on purpose"]


@pytest.mark.parametrize("waiver", ["not-public", "not-public:web"])
def test_a_waiver_that_allows_nothing_is_told(waiver: str) -> None:
    text = f"eksml-production: the waiver '{waiver}' allows nothing"
    assert any(line.startswith(text) for line in found(with_waivers({waiver: "until the end of May"}), "waiver-used"))


def test_what_is_told_of_waivers_can_be_waived_too() -> None:
    report = run_checks(with_waivers({"tagged": "until the end of May", "waiver-used": "there is a branch for it"}))
    assert report.findings == ()
    assert [finding.check for finding, _ in report.waived] == ["waiver-used"]


def test_the_public_api_server_of_a_stack_file_is_shown_with_its_reason() -> None:
    open_to_all = change("eks:index:Cluster", "", "publicAccessCidrs", ["203.0.113.0/24", "0.0.0.0/0"])
    opened = change("eks:index:Cluster", "", "endpointPublicAccess", True)
    report = run_checks(with_waivers({"open-public-endpoint": "students without fixed addresses"}, opened, open_to_all))
    ((finding, _),) = report.waived
    assert finding.text == "the API server is reachable from 0.0.0.0/0: give your own ranges under publicAccessCidrs"
    assert report.findings == ()


def test_warnings_are_no_errors() -> None:
    report = run_checks(planted(change("aws:sqs/queue:Queue", "", "tags", {"Name": "q"})))
    assert report.errors == ()
    assert {CHECKS[finding.check].severity for finding in report.findings} == {Severity.WARNING}


# What is right and looks odd


@pytest.mark.parametrize(
    "right",
    [
        job(nodeSelector={"topology.kubernetes.io/zone": "us-west-2a"}),
        job(nodeSelector=SPOT, tolerations=[TOLERATION]),
        job(nodeSelector={"eks.amazonaws.com/capacityType": "ON_DEMAND"}),
        job(container={"image": "example.com/a@sha256:0000"}),
        job(container={"image": "example.com/latest/a:1.0-mainline"}),
        job(affinity=by_name("NotIn")),
        job(container=asking(**DISK | {"ephemeral-storage": "40Gi"})),
    ],
)
def test_what_only_looks_wrong_is_not_found(right: Callable[[dict[str, Resource]], None]) -> None:
    assert run_checks(planted(right)).findings == ()


@pytest.mark.parametrize(
    "right",
    [
        reader(serviceAccountName="workload"),
        reader(serviceAccountName="default"),
        reader(serviceAccountName="kueue-controller-manager", namespace="kueue-system"),
        reader(volumes=[{"name": "ca", "configMap": {"name": "kube-root-ca.crt"}}]),
        reader(volumes=[{"name": "code", "configMap": {"name": "code", "optional": True}}]),
        reader(volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": UNKNOWN}}]),
        reader(volumes=[{"name": "shared-memory", "emptyDir": {}}]),
        both(of_team("Secret", "wandb"), reader(containers=[{"name": "main", "env": WANDB}])),
        both(
            add(NAMESPACE, "mlflow", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mlflow"}}),
            reader(containers=[{"name": "main", "env": MLFLOW}]),
        ),
        both(chart({}), custom_job("ray.io/v1", "RayJob")),
        both(add(DIRECTORY, "theirs", {"directory": "theirs"}), custom_job("ray.io/v1", "RayJob")),
        both(
            add(RELEASE, "kuberay", {"chart": "kuberay-operator", "version": "1.7.0"}),
            custom_job("ray.io/v1", "RayJob"),
        ),
    ],
)
def test_what_is_there_or_may_be_is_not_missed(right: Callable[[dict[str, Resource]], None]) -> None:
    checks = ("reference-exists", "secret-exists", "config-map-exists", "claim-exists")
    assert run_checks(planted(right), checks).findings == ()


@pytest.mark.parametrize(
    "right",
    [
        config_map("other", namespace="training"),
        config_map("other", provider="urn:of-another-cluster"),
        both(patch("two"), patch("three")),
        add("kubernetes:core/v1:ConfigMap", "other", {"kind": "ConfigMap", "metadata": {"namespace": "serving"}}),
    ],
    ids=["another namespace", "another cluster", "a patch", "a name made up by Pulumi"],
)
def test_a_name_may_stand_twice_where_it_means_two_things(right: Callable[[dict[str, Resource]], None]) -> None:
    assert found(planted(both(config_map("one"), right)), "one-of-a-name") == []


@pytest.mark.parametrize(("namespace", "is_found"), [("training", True), ("serving", False)])
def test_what_a_workload_makes_is_not_on_its_platform_already(namespace: str, is_found: bool) -> None:
    platform = planted(config_map("one", namespace="training"))
    project = "urn:pulumi:production::resnet"
    reference = Resource(f"{project}::pulumi:pulumi:StackReference::org", STACK_REFERENCE_TYPE, "org", None, True)
    provider = Resource(f"{project}::{PROVIDER}::p", PROVIDER, "p", None, True, dependencies=(reference.urn,))
    inputs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "resnet-code", "namespace": namespace}}
    kind = "kubernetes:core/v1:ConfigMap"
    code = Resource(f"{project}::{kind}::code", kind, "code", None, True, provider.urn, inputs)
    workload = Plan.of("production", [reference, provider, code], platform=platform)
    assert [line.partition(":")[0] for line in found(workload, "one-of-a-name")] == ["code"] * is_found


@pytest.mark.parametrize(
    ("tolerations", "selector", "is_found"),
    [
        ([TOLERATION], {}, True),
        ([{"operator": "Exists"}], {}, False),
        ([{"operator": "Exists", "effect": "NoSchedule"}], {}, False),
        ([TOLERATION], {"nvidia.com/gpu.present": "true"}, False),
        ([], {}, False),
    ],
    ids=["names the taint", "is on every node", "is on every node until evicted", "chooses GPU nodes", "keeps off"],
)
def test_an_agent_of_every_node_may_run_on_gpu_nodes_too(
    tolerations: list[dict[str, Any]], selector: dict[str, str], is_found: bool
) -> None:
    agent = deepcopy(DAEMON_SET)
    agent["spec"]["template"]["spec"] |= {"tolerations": tolerations, "nodeSelector": selector}
    lines = found(planted(add("kubernetes:apps/v1:DaemonSet", "logs", agent)), "daemon-set-on-gpu-nodes")
    assert bool(lines) is is_found


def test_pods_have_the_disk_of_their_pool_or_the_instance_store_that_joins_it() -> None:
    disks = {(node.labels["eksml.dev/pool"], node.instance_type): node for node in nodes_of(stack_plan("production"))}
    gib = {key: node.allocatable["ephemeral-storage"] / 1024 for key, node in disks.items()}
    # 50 GiB, of which a tenth stays free and the kubelet keeps one.
    assert gib["system", "m7i.xlarge"] == 44
    nvme = catalog.instance_types()["g6.12xlarge"].nvme_gb * 10**9 / 2**30
    assert gib["train", "g6.12xlarge"] == pytest.approx(nvme * 0.9 - 1, abs=1)
    volume = change(NODE_CLASS, "burst-class", "spec/blockDeviceMappings/0/ebs/volumeSize", UNKNOWN)
    whole = change(NODE_CLASS, "burst-class", "spec/instanceStorePolicy", None)

    def fault(resources: dict[str, Resource]) -> None:
        volume(resources)
        whole(resources)

    unknown = [node for node in nodes_of(planted(fault)) if node.labels["eksml.dev/pool"] == "burst"]
    assert [node.allocatable.get("ephemeral-storage") for node in unknown] == [None] * len(unknown)


def test_a_job_in_a_queue_needs_no_toleration_of_its_own() -> None:
    def fault(resources: dict[str, Resource]) -> None:
        job(container=asking(**GPU))(resources)
        the(resources, JOB, "job").inputs["metadata"]["namespace"] = "training"

    assert found(planted(fault), "workload-has-nodes") == []


@pytest.mark.parametrize(
    "right",
    [
        job(metadata=IN_TRAINING, spec={"parallelism": 8}, container=asking(**GPU | {"nvidia.com/gpu": "2"})),
        job(metadata=IN_TRAINING, spec={"parallelism": 99, "completions": 1}, container=asking(**GPU)),
        job(
            metadata=IN_TRAINING | {"annotations": {"kueue.x-k8s.io/job-min-parallelism": "4"}},
            spec={"parallelism": 99},
            container=asking(**GPU),
        ),
        job(metadata=IN_TRAINING, container=asking(**{"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"})),
        job(spec={"parallelism": 99}, container=asking(cpu="1", memory="1Gi")),
    ],
    ids=["with what may be borrowed", "one after the other", "fewer at once", "disk is not counted", "in no queue"],
)
def test_a_job_that_its_queue_lets_go_is_not_found(right: Callable[[dict[str, Resource]], None]) -> None:
    assert found(planted(right), "job-fits-quota") == []


def queue(resources: dict[str, Resource], *frameworks: str) -> None:
    """Has Kueue queue other kinds."""
    values = the(resources, RELEASE, "kueue-kueue").inputs["values"]["managerConfig"]
    configuration = yaml.safe_load(values["controllerManagerConfigYaml"])
    configuration["integrations"]["frameworks"] = list(frameworks)
    values["controllerManagerConfigYaml"] = yaml.safe_dump(configuration)


@pytest.mark.parametrize(
    ("cohort", "limit", "is_found"),
    [("lab", None, False), ("lab", "8", True), ("lab", "24", False), (None, None, True)],
)
def test_what_may_be_borrowed_counts_and_without_a_limit_it_is_anything(
    cohort: str | None, limit: str | None, is_found: bool
) -> None:
    def fault(resources: dict[str, Resource]) -> None:
        spec = the(resources, "kubernetes:kueue.x-k8s.io/v1beta2:ClusterQueue", "training-queue").inputs["spec"]
        spec["cohortName"] = cohort
        (burst,) = [each for each in spec["resourceGroups"][0]["flavors"] if each["name"] == "burst"]
        (gpus,) = [each for each in burst["resources"] if each["name"] == "nvidia.com/gpu"]
        gpus["borrowingLimit"] = limit
        job(metadata=IN_TRAINING, spec={"parallelism": 8}, container=asking(**GPU | {"nvidia.com/gpu": "4"}))(resources)

    assert bool(found(planted(fault), "job-fits-quota")) is is_found


@pytest.mark.parametrize(
    ("frameworks", "gpus", "is_found"), [(["pod"], "16", False), (["pod"], "17", True), (["batch/job"], "17", False)]
)
def test_the_pods_of_a_deployment_wait_one_by_one(frameworks: list[str], gpus: str, is_found: bool) -> None:
    def fault(resources: dict[str, Resource]) -> None:
        queue(resources, *frameworks)
        template = {"spec": {"containers": [asking(**GPU | {"nvidia.com/gpu": gpus})]}}
        inputs = {
            "kind": "Deployment",
            "metadata": {"name": "server", **IN_TRAINING},
            "spec": {"replicas": 9, "template": template},
        }
        add("kubernetes:apps/v1:Deployment", "server", inputs)(resources)

    assert bool(found(planted(fault), "job-fits-quota")) is is_found


ROLLOUT_KIND = "kubernetes:argoproj.io/v1alpha1:Rollout"


def rollout(replicas: int | None, strategy: dict[str, Any], gpus: str = "1") -> Callable[[dict[str, Resource]], None]:
    """A Rollout on pool burst, of which the training team has 8 GPUs and may borrow 8."""
    pod = {"nodeSelector": {"eksml.dev/pool": "burst"}, "containers": [asking(**GPU | {"nvidia.com/gpu": gpus})]}
    count = {} if replicas is None else {"replicas": replicas}
    spec = {**count, "strategy": strategy, "template": {"spec": pod}}
    metadata = {"name": "server", **IN_TRAINING}
    inputs = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": metadata, "spec": spec}
    return add(ROLLOUT_KIND, "server", inputs)


def scaled(kind: str, **most: int) -> Callable[[dict[str, Resource]], None]:
    target = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "server"}
    inputs = {
        "kind": kind.rpartition(":")[2],
        "metadata": {"name": "server", **IN_TRAINING},
        "spec": {"scaleTargetRef": target, **most},
    }
    return add(kind, "scaler", inputs)


@pytest.mark.parametrize(
    ("fault", "pods"),
    [
        (rollout(8, {"blueGreen": {}}), None),
        (rollout(9, {"blueGreen": {}}), 18),
        (rollout(15, {"canary": {"maxSurge": 1}}), None),
        (rollout(16, {"canary": {"maxSurge": 1}}), 17),
        (rollout(14, {"canary": {}}), 18),
        (
            both(
                rollout(None, {"blueGreen": {}}), scaled("kubernetes:keda.sh/v1alpha1:ScaledObject", maxReplicaCount=8)
            ),
            None,
        ),
        (
            both(
                rollout(None, {"blueGreen": {}}), scaled("kubernetes:keda.sh/v1alpha1:ScaledObject", maxReplicaCount=9)
            ),
            18,
        ),
        (both(rollout(None, {"blueGreen": {}}), scaled("kubernetes:keda.sh/v1alpha1:ScaledObject")), 200),
        (
            both(
                rollout(None, {"blueGreen": {}}),
                scaled("kubernetes:autoscaling/v2:HorizontalPodAutoscaler", maxReplicas=9),
            ),
            18,
        ),
    ],
)
def test_a_rollout_has_room_for_both_its_versions(
    fault: Callable[[dict[str, Resource]], None], pods: int | None
) -> None:
    assert found(planted(fault), "job-fits-quota") == (
        []
        if pods is None
        else [
            f"server: server: {pods} pods of both versions ask for {pods} nvidia.com/gpu, more than the 16 that queue "
            "training may ever have for it: a new version would wait for ever"
        ]
    )


def test_a_rollout_whose_pods_never_go_is_told_so_once() -> None:
    (line,) = found(planted(rollout(2, {"blueGreen": {}}, gpus="17")), "job-fits-quota")
    assert line.startswith("server: server: asks for 1024 MiB of memory, 17 nvidia.com/gpu, more than queue training")


def test_the_parts_of_a_job_are_let_go_together_or_not_at_all() -> None:
    def fault(resources: dict[str, Resource]) -> None:
        queue(resources, "kubeflow.org/pytorchjob")
        pods = {"spec": {"containers": [asking(**GPU | {"nvidia.com/gpu": "4"})]}}
        parts = {part: {"replicas": 4, "template": pods} for part in ("Master", "Worker")}
        spec = {
            "kind": "PyTorchJob",
            "metadata": {"name": "fit", **IN_TRAINING},
            "spec": {"pytorchReplicaSpecs": parts},
        }
        add("kubernetes:kubeflow.org/v1:PyTorchJob", "fit", spec)(resources)

    assert found(planted(fault), "job-fits-quota") == [
        "fit: fit-pytorchReplicaSpecs-Master: its pods ask for 32 nvidia.com/gpu together, more than queue training "
        "may ever have: 24 nvidia.com/gpu"
    ]


def test_a_policy_of_the_account_is_judged_by_what_it_says_not_by_its_name() -> None:
    own = add("aws:iam/role:Role", "own", {"managedPolicyArns": ["arn:aws:iam::123456789012:policy/TeamFullAccess"]})
    assert found(planted(own), "narrow-policy") == []


def test_what_runs_before_the_containers_counts_too() -> None:
    large = {"name": "first", "image": "busybox:1.37", "resources": {"requests": {"cpu": "500", "memory": "1Pi"}}}
    (line,) = found(planted(job(initContainers=[large])), "request-fits-node")
    assert line.startswith("job: job: asks for 500 vCPUs, 1073741824 MiB of memory")


def test_a_sidecar_counts_beside_the_containers_and_beside_what_runs_after_it_began() -> None:
    def asks(cpu: str, **more: str) -> dict[str, Any]:
        return {"resources": {"requests": {"cpu": cpu}}, **more}

    resource = Resource("urn", "kubernetes:core/v1:Pod", "pod", None, True)
    inits = [asks("4"), asks("1", restartPolicy="Always"), asks("5")]
    pod = {"containers": [asks("2"), asks("500m")], "initContainers": inits}
    assert Workload(resource, "pod", "Pod", pod).requests == {"cpu": 6000}
    assert Workload(resource, "pod", "Pod", pod | {"initContainers": inits[:2]}).requests == {"cpu": 4000}
    assert Workload(resource, "pod", "Pod", pod | {"initContainers": inits[1:2]}).requests == {"cpu": 3500}


@pytest.mark.parametrize(
    ("annotations", "is_public"),
    [
        ({}, True),
        ({INTERNAL: "0.0.0.0/0"}, False),
        ({INTERNAL: "True"}, False),
        ({PUBLIC: "internal"}, False),
        ({PUBLIC: "internet-facing", INTERNAL: "true"}, True),
    ],
)
def test_the_scheme_of_a_load_balancer_decides_before_the_older_annotation(
    annotations: dict[str, str], is_public: bool
) -> None:
    service = {**SERVICE, "metadata": {"name": "web", "annotations": annotations}}
    assert bool(found(planted(add("kubernetes:core/v1:Service", "web", service)), "not-public")) is is_public


@pytest.mark.parametrize(
    "right",
    [
        chart({"service": {"type": "LoadBalancer", "annotations": {PUBLIC: "internal"}}}),
        chart({"service": {"type": "LoadBalancer", "loadBalancerClass": "service.k8s.aws/nlb"}}),
        chart({"service": {"enabled": False, "type": "LoadBalancer"}}),
        chart({"extraObjects": [SERVICE | {"metadata": {"annotations": {PUBLIC: "internal"}}}]}),
        chart({"service": {"type": "ClusterIP"}, "note": "type: LoadBalancer"}),
        add("kubernetes:elbv2.k8s.aws/v1beta1:IngressClassParams", "web", {"spec": {"scheme": "internal"}}),
        add("kubernetes:gateway.k8s.aws/v1beta1:LoadBalancerConfiguration", "web", {"spec": {}}),
        add("aws:rds/instance:Instance", "experiments", {"publiclyAccessible": False}),
        add("aws:rds/instance:Instance", "experiments", {"publiclyAccessible": UNKNOWN}),
    ],
)
def test_what_the_internet_does_not_reach_is_not_public(right: Callable[[dict[str, Resource]], None]) -> None:
    assert found(planted(right), "not-public") == []


@pytest.mark.parametrize(
    "settings",
    [
        {"backupRetentionPeriod": 7},
        {"backupRetentionPeriod": UNKNOWN, "skipFinalSnapshot": UNKNOWN},
        {"backupRetentionPeriod": 1, "skipFinalSnapshot": True, "deletionProtection": True},
    ],
)
def test_a_database_that_comes_back_is_not_found(settings: dict[str, Any]) -> None:
    plan = planted(add("aws:rds/instance:Instance", "experiments", settings))
    assert found(plan, "database-recoverable") == []


@pytest.mark.parametrize(
    ("resource", "amount", "whole"),
    [
        # Kubernetes rounds up to the next thousandth.
        ("cpu", "500u", 1),
        ("cpu", "1500m", 1500),
        ("cpu", 2, 2000),
        ("memory", "1Pi", 2**30),
        ("memory", "1G", 953),
        ("memory", "1e9", 953),
        ("nvidia.com/gpu", "4", 4),
        ("memory", "much", 0),
        ("memory", "1.2.3", 0),
        ("memory", "1e3Ki", 0),
        ("nvidia.com/gpu", "1E99999", 2**63 - 1),
    ],
)
def test_quantities_are_read_as_kubernetes_reads_them(resource: str, amount: Any, whole: int) -> None:
    assert amount_of(resource, amount) == whole
