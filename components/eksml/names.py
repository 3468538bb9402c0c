"""Every label, taint, namespace and annotation that the project writes, once.

Workloads choose nodes by these constants and pools are labelled from them, so that a renamed label cannot leave pods
pending for ever.
"""

from hashlib import sha256

POOL_LABEL = "eksml.dev/pool"
"""On every node: the name of its pool in the stack file."""

AMI_FAMILY_LABEL = "eksml.dev/ami-family"
"""On every node: the family of its image, by which the device plugin keeps off nodes that bring their own."""

FRAMEWORK_LABEL = "eksml.dev/framework"
"""On the nodes of a pool that is dedicated to one framework: the framework's name."""

JOB_LABEL = "eksml.dev/job"
"""On every pod of a training job: the job's name."""

SERVER_LABEL = "eksml.dev/server"
"""On every pod of a model server, its Service and all that belongs to it: the server's name."""

MIGRATION_FROM_LABEL = "migration-from"
MIGRATION_TO_LABEL = "migration-to"
"""On all objects and pods of the server of a converted model: the framework that it was of, and that it is of now."""

SERVER_GROUP_LABEL = "eksml.dev/server-group"
"""On all pods of a model server whose copies take several nodes each, those too that answer nobody: its name."""

ENTRY = "entry"
"""The Gateway of an entry and its listener for routes; in a team's namespace also the ListenerRuleConfiguration that
each of its routes names."""
ENTRY_NAMESPACE = "entry"
"""The platform's own entry, by which people reach its services."""
GATEWAY_CLASS = "aws-alb"
"""The class of Gateways that the AWS load balancer controller makes Application Load Balancers for."""
GATEWAY_API_VERSION = "gateway.networking.k8s.io/v1"
GATEWAY_AWS_API_VERSION = "gateway.k8s.aws/v1"
"""Of what the load balancer controller adds to the Gateway API."""
LOAD_BALANCER_CONTROLLER_SERVICE_ACCOUNT = "aws-load-balancer-controller"
LOAD_BALANCER_CLUSTER_TAG = "elbv2.k8s.aws/cluster"
"""The tag, with the name of the cluster, on what the load balancer controller makes in AWS."""
READINESS_GATE_LABEL = "elbv2.k8s.aws/pod-readiness-gate-inject"
READINESS_GATE_VALUE = "enabled"
"""On a namespace: its pods are ready only once the load balancer has found them healthy too."""
EXTERNAL_DNS_SERVICE_ACCOUNT = "external-dns"

OBSERVABILITY_NAMESPACE = "observability"
"""Prometheus and what else measures the platform runs here."""
PROMETHEUS_URL = "http://prometheus-operated.observability.svc:9090"
"""The Service that its operator makes for the pods of every Prometheus."""
PROMETHEUS_SERVICE_ACCOUNT = "prometheus"
MONITORING_API_VERSION = "monitoring.coreos.com/v1"
RUNBOOKS_URL = "https://github.com/eksml/eksml/blob/main/docs/runbooks"
"""Where alerts lead, by the alert's name and .md, unless a stack file says otherwise."""

MLFLOW_NAMESPACE = "mlflow"
MLFLOW_PORT = 5000
MLFLOW_URL = f"http://mlflow.{MLFLOW_NAMESPACE}.svc:{MLFLOW_PORT}"
"""Where MLflow answers inside the cluster."""
MLFLOW_SECRET = "mlflow"
"""In the namespace of a team: its user of MLflow, by the keys username and password."""

WANDB = "wandb"
WANDB_API_KEY = "api-key"
"""In the namespace of a team that reports to Weights & Biases: the Secret with the key, the ConfigMap of settings."""

TENSORBOARD_LABEL = "eksml.dev/tensorboard"
"""On every pod of a TensorBoard and all that belongs to it: its name."""

NOTEBOOK_NAMESPACE = "jupyterhub"
NOTEBOOK_SERVICE = "proxy-public"
"""JupyterHub and all notebooks run here; people reach both by this Service, on port 80."""
NOTEBOOK_SERVICE_ACCOUNT = "notebook"
"""There: notebooks have its rights in AWS."""

ZONE_LABEL = "topology.kubernetes.io/zone"

GPU_RESOURCE = "nvidia.com/gpu"
"""The extended resource that a pod asks for to get a GPU."""

GPU_LABEL = "nvidia.com/gpu.present"
GPU_LABEL_VALUE = "true"
"""On every GPU node, from its first second: NVIDIA's charts place their DaemonSets by it."""

GPU_TAINT_KEY = "nvidia.com/gpu"
GPU_TAINT_VALUE = "present"
GPU_TAINT_EFFECT = "NoSchedule"
"""On every GPU node, so that only pods that tolerate it take its place."""

DEVICE_PLUGIN_CONFIG_LABEL = "nvidia.com/device-plugin.config"
"""On a GPU node: the name of the device plugin's configuration that it takes, instead of the default one."""

MIG_CONFIG_LABEL = "nvidia.com/mig.config"
"""On a GPU node: how the GPU operator divides its GPUs."""

EFA_LABEL = "eksml.dev/efa"
EFA_LABEL_VALUE = "true"
"""On every node with EFA, by which its device plugin finds it."""

EFA_RESOURCE = "vpc.amazonaws.com/efa"
"""The extended resource that a pod asks for to get an EFA interface."""

GPU_RUNTIME_CLASS = "nvidia"
"""The RuntimeClass whose handler is the NVIDIA container runtime."""

SYSTEM_NAMESPACE = "kube-system"
GPU_NAMESPACE = "nvidia"
"""The device plugin or GPU operator, feature discovery and the metrics exporter of GPUs run here."""

KUEUE_NAMESPACE = "kueue-system"

SCHEDULE_NAMESPACE = "working-hours"
"""What takes Karpenter's nodes away when the working day ends."""

POD_SECURITY_LABEL = "pod-security.kubernetes.io/enforce"
POD_SECURITY_WARN_LABEL = "pod-security.kubernetes.io/warn"

PLATFORM_NAMESPACE_LABEL = "eksml.dev/role"
PLATFORM_NAMESPACE_VALUE = "platform"
"""On the namespaces of the platform's own parts, which reach the pods of teams and are reached by them."""

TEAM_LABEL = "eksml.dev/team"
"""On the namespace of a team and all that the platform makes in it: the team's name."""

PLATFORM_TAG = "eksml:platform"
TEAM_TAG = "eksml:team"
"""On everything in AWS: the platform's name; on what a team has of its own also the team's, as TEAM_LABEL says it in
Kubernetes."""

TEAM_SERVICE_ACCOUNT = "workload"
"""In every team's namespace: pods with it have the team's rights in AWS."""

MODEL_READER_SERVICE_ACCOUNT = "model-reader"
"""In every team's namespace: pods with it may read models, and nothing else."""

LOCAL_QUEUE = "default"
"""In every team's namespace: the queue that Kueue gives to jobs that name none."""

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
QUEUE_PRIORITY_LABEL = "kueue.x-k8s.io/priority-class"
"""On a job: the queue that it waits in, and its place there."""

KUEUE_API_VERSION = "kueue.x-k8s.io/v1beta2"
KUEUE_SERVICE_ACCOUNT = "kueue-controller-manager"
"""What the chart calls it, for a release of the name kueue."""
KUEUE_GATE = "kueue.x-k8s.io/admission"
"""On a pod that waits in a queue: while it has this scheduling gate, it gets no node."""

KEDA_NAMESPACE = "keda"
KEDA_HTTP_ADD_ON = "keda-add-ons-http"
"""The chart of KEDA's HTTP add-on, and how the names of all that it makes begin."""

COLD_START_ANNOTATION = "eksml.dev/cold-start"
"""On the workload of a model server: how long it probably takes until it answers, part by part, as JSON."""

KARPENTER_SERVICE_ACCOUNT = "karpenter"
KARPENTER_POOL_LABEL = "karpenter.sh/nodepool"
KARPENTER_CAPACITY_TYPE_LABEL = "karpenter.sh/capacity-type"
EKS_CAPACITY_TYPE_LABEL = "eks.amazonaws.com/capacityType"
"""On the nodes of a managed group: ON_DEMAND, SPOT or CAPACITY_BLOCK."""
INSTANCE_TYPE_LABEL = "node.kubernetes.io/instance-type"
ARCHITECTURE_LABEL = "kubernetes.io/arch"
OPERATING_SYSTEM_LABEL = "kubernetes.io/os"
HOST_LABEL = "kubernetes.io/hostname"

CLUSTER_NAME_TAG = "aws:eks:cluster-name"
"""The tag that EKS puts on a cluster's own security group."""

DISCOVERY_TAG = "karpenter.sh/discovery"
PUBLIC_LOAD_BALANCER_TAG = "kubernetes.io/role/elb"
INTERNAL_LOAD_BALANCER_TAG = "kubernetes.io/role/internal-elb"

DEFAULT_STORAGE_CLASS = "gp3"
DEFAULT_STORAGE_CLASS_ANNOTATION = "storageclass.kubernetes.io/is-default-class"
EFS_STORAGE_CLASS = "efs"
"""A claim of this class gets a directory of its own on the shared EFS file system."""
LUSTRE_STORAGE_CLASS = "lustre"
"""A claim of this class gets an FSx for Lustre file system of its own."""


def team_group(team: str) -> str:
    """The group of Kubernetes users that the members of a team are in."""
    return f"eksml-team-{team}"


def owned_by(cluster: str) -> str:
    """The tag, with the value `owned`, on what a controller makes in AWS for one cluster."""
    return f"kubernetes.io/cluster/{cluster}"


def short_hash(text: str) -> str:
    """Eight digits that stand for a text: a name for what has none of its own that is short enough."""
    return sha256(text.encode()).hexdigest()[:8]


def fitted(name: str, most: int) -> str:
    """A name of at most so many characters, still told apart from others that begin alike."""
    return name if len(name) <= most else f"{name[: most - 9]}-{short_hash(name)}"


def queue_labels(queue: str | None, priority: str) -> dict[str, str]:
    """What a job or server says to wait in a queue of its team, and its place there; nothing where there is none."""
    return {QUEUE_LABEL: queue, QUEUE_PRIORITY_LABEL: priority} if queue else {}


def tolerations_of_storage() -> list[dict[str, str]]:
    """What a driver of volumes gets on nodes, instead of its own list: whatever runs anywhere may need a volume."""
    return [{"operator": "Exists"}, gpu_toleration()]


def gpu_toleration() -> dict[str, str]:
    """What a pod needs to run on a GPU node."""
    return {"key": GPU_TAINT_KEY, "operator": "Equal", "value": GPU_TAINT_VALUE, "effect": GPU_TAINT_EFFECT}
