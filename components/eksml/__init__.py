"""Machine learning on Amazon EKS: Pulumi components, and a platform for three kinds of team.

Components, their Specs, and what the decision guides call are importable from here. The rest is public in
packages of its own: `eksml.advisor`, `eksml.catalog`, `eksml.checks`, `eksml.costs`, `eksml.plan` and `eksml.sizing`.
Names are loaded on first use, so that importing the package stays cheap.
"""

from typing import TYPE_CHECKING

from eksml import lazy

if TYPE_CHECKING:
    from eksml.accelerators.dcgm_host_engine import DcgmHostEngine as DcgmHostEngine
    from eksml.accelerators.device_plugin import DevicePlugin as DevicePlugin
    from eksml.accelerators.device_plugin import DevicePluginSpec as DevicePluginSpec
    from eksml.accelerators.efa_device_plugin import EfaDevicePlugin as EfaDevicePlugin
    from eksml.accelerators.efa_device_plugin import EfaDevicePluginSpec as EfaDevicePluginSpec
    from eksml.accelerators.gpu_operator import GpuOperator as GpuOperator
    from eksml.accelerators.gpu_operator import GpuOperatorSpec as GpuOperatorSpec
    from eksml.advisor.frameworks import recommend_framework as recommend_framework
    from eksml.advisor.inference import recommend_inference_tool as recommend_inference_tool
    from eksml.advisor.mlops import MlopsStack as MlopsStack
    from eksml.advisor.mlops import select_mlops_stack as select_mlops_stack
    from eksml.advisor.profile import ProfileChoice as ProfileChoice
    from eksml.advisor.profile import recommend_profile as recommend_profile
    from eksml.advisor.ranking import Change as Change
    from eksml.advisor.ranking import Ranking as Ranking
    from eksml.advisor.ranking import Reasons as Reasons
    from eksml.advisor.requirements import FrameworkRequirements as FrameworkRequirements
    from eksml.advisor.requirements import InferenceRequirements as InferenceRequirements
    from eksml.advisor.requirements import MlopsRequirements as MlopsRequirements
    from eksml.advisor.requirements import ProfileAnswers as ProfileAnswers
    from eksml.advisor.requirements import TrainingRequirements as TrainingRequirements
    from eksml.advisor.training import recommend_training_orchestrator as recommend_training_orchestrator
    from eksml.cluster.eks_addon import EksAddon as EksAddon
    from eksml.cluster.eks_addon import EksAddonSpec as EksAddonSpec
    from eksml.cluster.existing_cluster import ExistingCluster as ExistingCluster
    from eksml.cluster.existing_cluster import ExistingClusterSpec as ExistingClusterSpec
    from eksml.cluster.kubeconfig_cluster import KubeconfigCluster as KubeconfigCluster
    from eksml.cluster.kubeconfig_cluster import KubeconfigClusterSpec as KubeconfigClusterSpec
    from eksml.cluster.new_cluster import NewCluster as NewCluster
    from eksml.cluster.new_cluster import NewClusterSpec as NewClusterSpec
    from eksml.cluster.new_cluster import UpgradePolicy as UpgradePolicy
    from eksml.cluster.pod_identity import PodIdentity as PodIdentity
    from eksml.cluster.pod_identity import PodIdentitySpec as PodIdentitySpec
    from eksml.cluster.pod_identity import ServiceAccountSpec as ServiceAccountSpec
    from eksml.cluster.secrets_store import SecretsStore as SecretsStore
    from eksml.cluster.secrets_store import SecretsStoreSpec as SecretsStoreSpec
    from eksml.costs.assumptions import Assumptions as Assumptions
    from eksml.costs.frameworks import FrameworkAssumptions as FrameworkAssumptions
    from eksml.costs.frameworks import FrameworkWorkload as FrameworkWorkload
    from eksml.costs.frameworks import analyze_framework_costs as analyze_framework_costs
    from eksml.errors import EksmlError as EksmlError
    from eksml.errors import InputError as InputError
    from eksml.errors import SpecError as SpecError
    from eksml.kustomization import Kustomization as Kustomization
    from eksml.kustomization import KustomizationSpec as KustomizationSpec
    from eksml.network.authentication import JsonWebToken as JsonWebToken
    from eksml.network.authentication import JwtClaim as JwtClaim
    from eksml.network.authentication import OpenIdConnect as OpenIdConnect
    from eksml.network.entry import EntryHandles as EntryHandles
    from eksml.network.entry import EntrySpec as EntrySpec
    from eksml.network.entry import PlatformEntry as PlatformEntry
    from eksml.network.entry import ServiceRoutes as ServiceRoutes
    from eksml.network.entry import ServiceRoutesSpec as ServiceRoutesSpec
    from eksml.network.entry import entry_policy as entry_policy
    from eksml.network.entry import service_routes as service_routes
    from eksml.network.existing_vpc import ExistingVpcSpec as ExistingVpcSpec
    from eksml.network.exposure import ExposureSpec as ExposureSpec
    from eksml.network.exposure import exposure_objects as exposure_objects
    from eksml.network.exposure import exposure_problems as exposure_problems
    from eksml.network.external_dns import DnsPolicy as DnsPolicy
    from eksml.network.external_dns import ExternalDns as ExternalDns
    from eksml.network.external_dns import ExternalDnsSpec as ExternalDnsSpec
    from eksml.network.gateway import GatewayControllers as GatewayControllers
    from eksml.network.gateway import GatewaySpec as GatewaySpec
    from eksml.network.load_balancer import AccessLogs as AccessLogs
    from eksml.network.load_balancer import CertificateTls as CertificateTls
    from eksml.network.load_balancer import HostedZoneTls as HostedZoneTls
    from eksml.network.load_balancer import Scheme as Scheme
    from eksml.network.load_balancer_controller import LoadBalancerController as LoadBalancerController
    from eksml.network.load_balancer_controller import LoadBalancerControllerSpec as LoadBalancerControllerSpec
    from eksml.network.team_gateway import TeamGateway as TeamGateway
    from eksml.network.team_gateway import TeamGatewaySpec as TeamGatewaySpec
    from eksml.network.vpc import NatGateways as NatGateways
    from eksml.network.vpc import NewVpcSpec as NewVpcSpec
    from eksml.network.vpc import Vpc as Vpc
    from eksml.nodes.karpenter import Karpenter as Karpenter
    from eksml.nodes.karpenter import KarpenterSpec as KarpenterSpec
    from eksml.nodes.karpenter_pool import CapacityType as CapacityType
    from eksml.nodes.karpenter_pool import Consolidation as Consolidation
    from eksml.nodes.karpenter_pool import KarpenterPool as KarpenterPool
    from eksml.nodes.karpenter_pool import KarpenterPoolSpec as KarpenterPoolSpec
    from eksml.nodes.managed_pool import CapacityBlock as CapacityBlock
    from eksml.nodes.managed_pool import ManagedPool as ManagedPool
    from eksml.nodes.managed_pool import ManagedPoolSpec as ManagedPoolSpec
    from eksml.nodes.managed_pool import OnDemand as OnDemand
    from eksml.nodes.managed_pool import Reservation as Reservation
    from eksml.nodes.managed_pool import Spot as Spot
    from eksml.nodes.node_role import NodeRole as NodeRole
    from eksml.nodes.node_role import NodeRoleSpec as NodeRoleSpec
    from eksml.nodes.placement import PlacementSpec as PlacementSpec
    from eksml.nodes.pool import Accelerator as Accelerator
    from eksml.nodes.pool import AmiFamily as AmiFamily
    from eksml.nodes.schedule import Schedule as Schedule
    from eksml.nodes.schedule import ScheduleSpec as ScheduleSpec
    from eksml.nodes.sharing import Mig as Mig
    from eksml.nodes.sharing import Mps as Mps
    from eksml.nodes.sharing import TimeSlicing as TimeSlicing
    from eksml.notebooks.authentication import CognitoAuthentication as CognitoAuthentication
    from eksml.notebooks.authentication import DummyAuthentication as DummyAuthentication
    from eksml.notebooks.authentication import ExistingUserPoolSpec as ExistingUserPoolSpec
    from eksml.notebooks.authentication import GitHubAuthentication as GitHubAuthentication
    from eksml.notebooks.authentication import OpenIdConnectAuthentication as OpenIdConnectAuthentication
    from eksml.notebooks.jupyterhub import EbsHome as EbsHome
    from eksml.notebooks.jupyterhub import EfsHome as EfsHome
    from eksml.notebooks.jupyterhub import JupyterHub as JupyterHub
    from eksml.notebooks.jupyterhub import JupyterHubSpec as JupyterHubSpec
    from eksml.notebooks.profiles import NotebookProfile as NotebookProfile
    from eksml.notebooks.user_pool import NewUserPoolSpec as NewUserPoolSpec
    from eksml.notebooks.user_pool import SecondFactor as SecondFactor
    from eksml.notebooks.user_pool import UserPool as UserPool
    from eksml.observability.alerts import Alerts as Alerts
    from eksml.observability.alerts import AlertsSpec as AlertsSpec
    from eksml.observability.alerts import EmailReceiver as EmailReceiver
    from eksml.observability.alerts import PagerDutyReceiver as PagerDutyReceiver
    from eksml.observability.alerts import SlackReceiver as SlackReceiver
    from eksml.observability.budget import Budget as Budget
    from eksml.observability.budget import BudgetSpec as BudgetSpec
    from eksml.observability.budget import OnExceed as OnExceed
    from eksml.observability.grafana import Grafana as Grafana
    from eksml.observability.grafana import GrafanaSignIn as GrafanaSignIn
    from eksml.observability.grafana import GrafanaSpec as GrafanaSpec
    from eksml.observability.logs import CloudWatchLogs as CloudWatchLogs
    from eksml.observability.logs import CloudWatchLogsSpec as CloudWatchLogsSpec
    from eksml.observability.managed_prometheus import AmazonManagedPrometheusSpec as AmazonManagedPrometheusSpec
    from eksml.observability.managed_prometheus import RemoteWrite as RemoteWrite
    from eksml.observability.objectives import MeasuredServer as MeasuredServer
    from eksml.observability.objectives import ServerObjective as ServerObjective
    from eksml.observability.observability import Observability as Observability
    from eksml.observability.observability import ObservabilitySpec as ObservabilitySpec
    from eksml.observability.prometheus import Prometheus as Prometheus
    from eksml.observability.prometheus import PrometheusSpec as PrometheusSpec
    from eksml.platform import Platform as Platform
    from eksml.platform_reference import PlatformReference as PlatformReference
    from eksml.platform_reference import workload_spec as workload_spec
    from eksml.platform_settings import PlatformSpec as PlatformSpec
    from eksml.profiles import platform_spec as platform_spec
    from eksml.profiles.stack import stack_secrets as stack_secrets
    from eksml.profiles.stack import stack_spec as stack_spec
    from eksml.ray_cluster import GcsRedis as GcsRedis
    from eksml.secret_key import SecretKey as SecretKey
    from eksml.serving.analysis import AnalysisSpec as AnalysisSpec
    from eksml.serving.analysis import LatencySpec as LatencySpec
    from eksml.serving.analysis import PreviewLoad as PreviewLoad
    from eksml.serving.analysis import analysis_template as analysis_template
    from eksml.serving.argo_rollouts import ArgoRollouts as ArgoRollouts
    from eksml.serving.argo_rollouts import ArgoRolloutsSpec as ArgoRolloutsSpec
    from eksml.serving.autoscaling import CpuAutoscaling as CpuAutoscaling
    from eksml.serving.autoscaling import HttpAutoscaling as HttpAutoscaling
    from eksml.serving.autoscaling import MetricAutoscaling as MetricAutoscaling
    from eksml.serving.autoscaling import ScheduleAutoscaling as ScheduleAutoscaling
    from eksml.serving.autoscaling import WorkingHours as WorkingHours
    from eksml.serving.cert_manager import CertManager as CertManager
    from eksml.serving.cert_manager import CertManagerSpec as CertManagerSpec
    from eksml.serving.cold_start import ColdStart as ColdStart
    from eksml.serving.cold_start import cold_start as cold_start
    from eksml.serving.hugging_face import HuggingFaceSpec as HuggingFaceSpec
    from eksml.serving.keda import Keda as Keda
    from eksml.serving.keda import KedaHttpAddOnSpec as KedaHttpAddOnSpec
    from eksml.serving.keda import KedaSpec as KedaSpec
    from eksml.serving.kserve import KServe as KServe
    from eksml.serving.kserve import KServeSpec as KServeSpec
    from eksml.serving.kserve_inference_service import KServeInferenceService as KServeInferenceService
    from eksml.serving.kserve_inference_service import KServeInferenceServiceSpec as KServeInferenceServiceSpec
    from eksml.serving.language_model import LanguageModelSpec as LanguageModelSpec
    from eksml.serving.language_model import TokenBatching as TokenBatching
    from eksml.serving.leader_worker_set import LeaderWorkerSetOperator as LeaderWorkerSetOperator
    from eksml.serving.leader_worker_set import LeaderWorkerSetOperatorSpec as LeaderWorkerSetOperatorSpec
    from eksml.serving.migration import MigratedVersionSpec as MigratedVersionSpec
    from eksml.serving.migration import MigrationDeployment as MigrationDeployment
    from eksml.serving.migration import create_migration_deployment as create_migration_deployment
    from eksml.serving.model_server import ModelServer as ModelServer
    from eksml.serving.model_source import BucketSource as BucketSource
    from eksml.serving.model_source import ClaimSource as ClaimSource
    from eksml.serving.model_source import HubSource as HubSource
    from eksml.serving.model_source import MlflowSource as MlflowSource
    from eksml.serving.openvino_server import OpenVinoModel as OpenVinoModel
    from eksml.serving.openvino_server import OpenVinoServer as OpenVinoServer
    from eksml.serving.openvino_server import OpenVinoServerSpec as OpenVinoServerSpec
    from eksml.serving.operators import ServingOperators as ServingOperators
    from eksml.serving.operators import ServingSpec as ServingSpec
    from eksml.serving.populate import Populate as Populate
    from eksml.serving.ray_serve_vllm import RayAutoscaling as RayAutoscaling
    from eksml.serving.ray_serve_vllm import RayHead as RayHead
    from eksml.serving.ray_serve_vllm import RayServeVllm as RayServeVllm
    from eksml.serving.ray_serve_vllm import RayServeVllmSpec as RayServeVllmSpec
    from eksml.serving.rollout import AnalysisStep as AnalysisStep
    from eksml.serving.rollout import BlueGreenRollout as BlueGreenRollout
    from eksml.serving.rollout import CanaryRollout as CanaryRollout
    from eksml.serving.rollout import PauseStep as PauseStep
    from eksml.serving.rollout import WeightStep as WeightStep
    from eksml.serving.rollout import replicas_needed as replicas_needed
    from eksml.serving.rollout import rollout_objects as rollout_objects
    from eksml.serving.rollout import rollout_problems as rollout_problems
    from eksml.serving.server import ServerSpec as ServerSpec
    from eksml.serving.servers import Server as Server
    from eksml.serving.servers import model_server as model_server
    from eksml.serving.tensorflow_serving import TensorFlowBatching as TensorFlowBatching
    from eksml.serving.tensorflow_serving import TensorFlowModel as TensorFlowModel
    from eksml.serving.tensorflow_serving import TensorFlowServing as TensorFlowServing
    from eksml.serving.tensorflow_serving import TensorFlowServingSpec as TensorFlowServingSpec
    from eksml.serving.transformers_server import TransformersServer as TransformersServer
    from eksml.serving.transformers_server import TransformersServerSpec as TransformersServerSpec
    from eksml.serving.triton_model import DynamicBatching as DynamicBatching
    from eksml.serving.triton_model import Instances as Instances
    from eksml.serving.triton_model import Tensor as Tensor
    from eksml.serving.triton_model import TritonModel as TritonModel
    from eksml.serving.triton_server import TritonServer as TritonServer
    from eksml.serving.triton_server import TritonServerSpec as TritonServerSpec
    from eksml.serving.vllm_engine import VllmEngine as VllmEngine
    from eksml.serving.vllm_engine import VllmEngineSpec as VllmEngineSpec
    from eksml.serving.vllm_server import Lora as Lora
    from eksml.serving.vllm_server import LoraAdapter as LoraAdapter
    from eksml.serving.vllm_server import VllmServer as VllmServer
    from eksml.serving.vllm_server import VllmServerSpec as VllmServerSpec
    from eksml.serving.warm_up import WarmUp as WarmUp
    from eksml.spec import Spec as Spec
    from eksml.storage.block_storage import BlockStorage as BlockStorage
    from eksml.storage.block_storage import BlockStorageSpec as BlockStorageSpec
    from eksml.storage.bucket_mounts import BucketMounts as BucketMounts
    from eksml.storage.bucket_mounts import BucketMountsSpec as BucketMountsSpec
    from eksml.storage.efs import Efs as Efs
    from eksml.storage.efs import EfsSpec as EfsSpec
    from eksml.storage.efs import ThroughputMode as ThroughputMode
    from eksml.storage.lustre import Lustre as Lustre
    from eksml.storage.lustre import LustreDeployment as LustreDeployment
    from eksml.storage.lustre import LustreSpec as LustreSpec
    from eksml.storage.model_bucket import ModelBucket as ModelBucket
    from eksml.storage.model_bucket import ModelBucketSpec as ModelBucketSpec
    from eksml.storage.postgresql import DatabaseAccess as DatabaseAccess
    from eksml.storage.postgresql import ExistingDatabaseSpec as ExistingDatabaseSpec
    from eksml.storage.postgresql import Postgresql as Postgresql
    from eksml.storage.postgresql import PostgresqlSpec as PostgresqlSpec
    from eksml.storage.shared_storage import SharedStorage as SharedStorage
    from eksml.storage.shared_storage import SharedStorageSpec as SharedStorageSpec
    from eksml.storage.volumes import ClaimVolume as ClaimVolume
    from eksml.storage.volumes import FileSystemVolume as FileSystemVolume
    from eksml.storage.volumes import S3Volume as S3Volume
    from eksml.tenancy.kueue import Kueue as Kueue
    from eksml.tenancy.kueue import KueueSpec as KueueSpec
    from eksml.tenancy.network_policies import TeamEgress as TeamEgress
    from eksml.tenancy.quotas import PoolQuota as PoolQuota
    from eksml.tenancy.quotas import Share as Share
    from eksml.tenancy.quotas import TeamLimits as TeamLimits
    from eksml.tenancy.team import ModelAccess as ModelAccess
    from eksml.tenancy.team import Team as Team
    from eksml.tenancy.team import TeamSpec as TeamSpec
    from eksml.tenancy.team import TeamVolumes as TeamVolumes
    from eksml.tenancy.team_queue import TeamQueue as TeamQueue
    from eksml.tenancy.team_queue import TeamQueueSpec as TeamQueueSpec
    from eksml.tracking.mlflow import Mlflow as Mlflow
    from eksml.tracking.mlflow_spec import ArtifactsSpec as ArtifactsSpec
    from eksml.tracking.mlflow_spec import MlflowBasicAuthentication as MlflowBasicAuthentication
    from eksml.tracking.mlflow_spec import MlflowEntryAuthentication as MlflowEntryAuthentication
    from eksml.tracking.mlflow_spec import MlflowSpec as MlflowSpec
    from eksml.tracking.tensorboard import TensorBoard as TensorBoard
    from eksml.tracking.tensorboard import TensorBoardSpec as TensorBoardSpec
    from eksml.tracking.tensorboard import tensor_board_access as tensor_board_access
    from eksml.tracking.tensorboard import tensor_board_problems as tensor_board_problems
    from eksml.tracking.tracking import Tracking as Tracking
    from eksml.tracking.tracking import TrackingSpec as TrackingSpec
    from eksml.tracking.weights_and_biases import WeightsAndBiases as WeightsAndBiases
    from eksml.tracking.weights_and_biases import WeightsAndBiasesSpec as WeightsAndBiasesSpec
    from eksml.tracking.weights_and_biases import weights_and_biases_problems as weights_and_biases_problems
    from eksml.training.code import ConfigMapCode as ConfigMapCode
    from eksml.training.code import GitCode as GitCode
    from eksml.training.code import ImageCode as ImageCode
    from eksml.training.code import files_of as files_of
    from eksml.training.framework_resources import FrameworkResources as FrameworkResources
    from eksml.training.framework_resources import FrameworkResourcesSpec as FrameworkResourcesSpec
    from eksml.training.hyperparameter_search import HyperparameterSearch as HyperparameterSearch
    from eksml.training.hyperparameter_search import HyperparameterSearchSpec as HyperparameterSearchSpec
    from eksml.training.hyperparameter_search import OptunaSearch as OptunaSearch
    from eksml.training.hyperparameter_search import WandbSweep as WandbSweep
    from eksml.training.jax_training import JaxTraining as JaxTraining
    from eksml.training.jax_training import JaxTrainingSpec as JaxTrainingSpec
    from eksml.training.job import Helpers as Helpers
    from eksml.training.job import JobSpec as JobSpec
    from eksml.training.kuberay import KubeRay as KubeRay
    from eksml.training.kuberay import KubeRaySpec as KubeRaySpec
    from eksml.training.mpi_operator import MpiOperator as MpiOperator
    from eksml.training.mpi_operator import MpiOperatorSpec as MpiOperatorSpec
    from eksml.training.mpi_training import MpiTraining as MpiTraining
    from eksml.training.mpi_training import MpiTrainingSpec as MpiTrainingSpec
    from eksml.training.native_training import NativeTraining as NativeTraining
    from eksml.training.native_training import NativeTrainingSpec as NativeTrainingSpec
    from eksml.training.operators import TrainingOperators as TrainingOperators
    from eksml.training.operators import TrainingSpec as TrainingSpec
    from eksml.training.pytorch_training import Launcher as Launcher
    from eksml.training.pytorch_training import PyTorchTraining as PyTorchTraining
    from eksml.training.pytorch_training import PyTorchTrainingSpec as PyTorchTrainingSpec
    from eksml.training.ray_training import RayTraining as RayTraining
    from eksml.training.ray_training import RayTrainingSpec as RayTrainingSpec
    from eksml.training.tensorflow_training import TensorFlowTraining as TensorFlowTraining
    from eksml.training.tensorflow_training import TensorFlowTrainingSpec as TensorFlowTrainingSpec
    from eksml.training.trainer import Trainer as Trainer
    from eksml.training.trainer import TrainerSpec as TrainerSpec
    from eksml.training.trainer_training import TrainerTraining as TrainerTraining
    from eksml.training.trainer_training import TrainerTrainingSpec as TrainerTrainingSpec
    from eksml.training.training_job import TrainingJob as TrainingJob
    from eksml.training.training_operator import TrainingOperator as TrainingOperator
    from eksml.training.training_operator import TrainingOperatorSpec as TrainingOperatorSpec
    from eksml.weekly_hours import WeeklyHours as WeeklyHours
    from eksml.workload import Workload as Workload

# A test holds this list equal to the imports above, which only type checkers and editors read.
_PUBLIC = {
    "eksml.accelerators.dcgm_host_engine": ("DcgmHostEngine",),
    "eksml.accelerators.device_plugin": ("DevicePlugin", "DevicePluginSpec"),
    "eksml.accelerators.efa_device_plugin": ("EfaDevicePlugin", "EfaDevicePluginSpec"),
    "eksml.accelerators.gpu_operator": ("GpuOperator", "GpuOperatorSpec"),
    "eksml.advisor.frameworks": ("recommend_framework",),
    "eksml.advisor.inference": ("recommend_inference_tool",),
    "eksml.advisor.mlops": ("MlopsStack", "select_mlops_stack"),
    "eksml.advisor.profile": ("ProfileChoice", "recommend_profile"),
    "eksml.advisor.ranking": ("Change", "Ranking", "Reasons"),
    "eksml.advisor.requirements": (
        "FrameworkRequirements",
        "InferenceRequirements",
        "MlopsRequirements",
        "ProfileAnswers",
        "TrainingRequirements",
    ),
    "eksml.advisor.training": ("recommend_training_orchestrator",),
    "eksml.cluster.eks_addon": ("EksAddon", "EksAddonSpec"),
    "eksml.cluster.existing_cluster": ("ExistingCluster", "ExistingClusterSpec"),
    "eksml.cluster.kubeconfig_cluster": ("KubeconfigCluster", "KubeconfigClusterSpec"),
    "eksml.cluster.new_cluster": ("NewCluster", "NewClusterSpec", "UpgradePolicy"),
    "eksml.cluster.pod_identity": ("PodIdentity", "PodIdentitySpec", "ServiceAccountSpec"),
    "eksml.cluster.secrets_store": ("SecretsStore", "SecretsStoreSpec"),
    "eksml.costs.assumptions": ("Assumptions",),
    "eksml.costs.frameworks": ("FrameworkAssumptions", "FrameworkWorkload", "analyze_framework_costs"),
    "eksml.errors": ("EksmlError", "InputError", "SpecError"),
    "eksml.kustomization": ("Kustomization", "KustomizationSpec"),
    "eksml.network.authentication": ("JsonWebToken", "JwtClaim", "OpenIdConnect"),
    "eksml.network.entry": (
        "EntryHandles",
        "EntrySpec",
        "PlatformEntry",
        "ServiceRoutes",
        "ServiceRoutesSpec",
        "entry_policy",
        "service_routes",
    ),
    "eksml.network.existing_vpc": ("ExistingVpcSpec",),
    "eksml.network.exposure": ("ExposureSpec", "exposure_objects", "exposure_problems"),
    "eksml.network.external_dns": ("DnsPolicy", "ExternalDns", "ExternalDnsSpec"),
    "eksml.network.gateway": ("GatewayControllers", "GatewaySpec"),
    "eksml.network.load_balancer": ("AccessLogs", "CertificateTls", "HostedZoneTls", "Scheme"),
    "eksml.network.load_balancer_controller": ("LoadBalancerController", "LoadBalancerControllerSpec"),
    "eksml.network.team_gateway": ("TeamGateway", "TeamGatewaySpec"),
    "eksml.network.vpc": ("NatGateways", "NewVpcSpec", "Vpc"),
    "eksml.nodes.karpenter": ("Karpenter", "KarpenterSpec"),
    "eksml.nodes.karpenter_pool": ("CapacityType", "Consolidation", "KarpenterPool", "KarpenterPoolSpec"),
    "eksml.nodes.managed_pool": ("CapacityBlock", "ManagedPool", "ManagedPoolSpec", "OnDemand", "Reservation", "Spot"),
    "eksml.nodes.node_role": ("NodeRole", "NodeRoleSpec"),
    "eksml.nodes.placement": ("PlacementSpec",),
    "eksml.nodes.pool": ("Accelerator", "AmiFamily"),
    "eksml.nodes.schedule": ("Schedule", "ScheduleSpec"),
    "eksml.nodes.sharing": ("Mig", "Mps", "TimeSlicing"),
    "eksml.notebooks.authentication": (
        "CognitoAuthentication",
        "DummyAuthentication",
        "ExistingUserPoolSpec",
        "GitHubAuthentication",
        "OpenIdConnectAuthentication",
    ),
    "eksml.notebooks.jupyterhub": ("EbsHome", "EfsHome", "JupyterHub", "JupyterHubSpec"),
    "eksml.notebooks.profiles": ("NotebookProfile",),
    "eksml.notebooks.user_pool": ("NewUserPoolSpec", "SecondFactor", "UserPool"),
    "eksml.observability.alerts": ("Alerts", "AlertsSpec", "EmailReceiver", "PagerDutyReceiver", "SlackReceiver"),
    "eksml.observability.budget": ("Budget", "BudgetSpec", "OnExceed"),
    "eksml.observability.grafana": ("Grafana", "GrafanaSignIn", "GrafanaSpec"),
    "eksml.observability.logs": ("CloudWatchLogs", "CloudWatchLogsSpec"),
    "eksml.observability.managed_prometheus": ("AmazonManagedPrometheusSpec", "RemoteWrite"),
    "eksml.observability.objectives": ("MeasuredServer", "ServerObjective"),
    "eksml.observability.observability": ("Observability", "ObservabilitySpec"),
    "eksml.observability.prometheus": ("Prometheus", "PrometheusSpec"),
    "eksml.platform": ("Platform",),
    "eksml.platform_reference": ("PlatformReference", "workload_spec"),
    "eksml.platform_settings": ("PlatformSpec",),
    "eksml.profiles": ("platform_spec",),
    "eksml.profiles.stack": ("stack_secrets", "stack_spec"),
    "eksml.ray_cluster": ("GcsRedis",),
    "eksml.secret_key": ("SecretKey",),
    "eksml.serving.analysis": ("AnalysisSpec", "LatencySpec", "PreviewLoad", "analysis_template"),
    "eksml.serving.argo_rollouts": ("ArgoRollouts", "ArgoRolloutsSpec"),
    "eksml.serving.autoscaling": (
        "CpuAutoscaling",
        "HttpAutoscaling",
        "MetricAutoscaling",
        "ScheduleAutoscaling",
        "WorkingHours",
    ),
    "eksml.serving.cert_manager": ("CertManager", "CertManagerSpec"),
    "eksml.serving.cold_start": ("ColdStart", "cold_start"),
    "eksml.serving.hugging_face": ("HuggingFaceSpec",),
    "eksml.serving.keda": ("Keda", "KedaHttpAddOnSpec", "KedaSpec"),
    "eksml.serving.kserve": ("KServe", "KServeSpec"),
    "eksml.serving.kserve_inference_service": ("KServeInferenceService", "KServeInferenceServiceSpec"),
    "eksml.serving.language_model": ("LanguageModelSpec", "TokenBatching"),
    "eksml.serving.leader_worker_set": ("LeaderWorkerSetOperator", "LeaderWorkerSetOperatorSpec"),
    "eksml.serving.migration": ("MigratedVersionSpec", "MigrationDeployment", "create_migration_deployment"),
    "eksml.serving.model_server": ("ModelServer",),
    "eksml.serving.model_source": ("BucketSource", "ClaimSource", "HubSource", "MlflowSource"),
    "eksml.serving.openvino_server": ("OpenVinoModel", "OpenVinoServer", "OpenVinoServerSpec"),
    "eksml.serving.operators": ("ServingOperators", "ServingSpec"),
    "eksml.serving.populate": ("Populate",),
    "eksml.serving.ray_serve_vllm": ("RayAutoscaling", "RayHead", "RayServeVllm", "RayServeVllmSpec"),
    "eksml.serving.rollout": (
        "AnalysisStep",
        "BlueGreenRollout",
        "CanaryRollout",
        "PauseStep",
        "WeightStep",
        "replicas_needed",
        "rollout_objects",
        "rollout_problems",
    ),
    "eksml.serving.server": ("ServerSpec",),
    "eksml.serving.servers": ("Server", "model_server"),
    "eksml.serving.tensorflow_serving": (
        "TensorFlowBatching",
        "TensorFlowModel",
        "TensorFlowServing",
        "TensorFlowServingSpec",
    ),
    "eksml.serving.transformers_server": ("TransformersServer", "TransformersServerSpec"),
    "eksml.serving.triton_model": ("DynamicBatching", "Instances", "Tensor", "TritonModel"),
    "eksml.serving.triton_server": ("TritonServer", "TritonServerSpec"),
    "eksml.serving.vllm_engine": ("VllmEngine", "VllmEngineSpec"),
    "eksml.serving.vllm_server": ("Lora", "LoraAdapter", "VllmServer", "VllmServerSpec"),
    "eksml.serving.warm_up": ("WarmUp",),
    "eksml.spec": ("Spec",),
    "eksml.storage.block_storage": ("BlockStorage", "BlockStorageSpec"),
    "eksml.storage.bucket_mounts": ("BucketMounts", "BucketMountsSpec"),
    "eksml.storage.efs": ("Efs", "EfsSpec", "ThroughputMode"),
    "eksml.storage.lustre": ("Lustre", "LustreDeployment", "LustreSpec"),
    "eksml.storage.model_bucket": ("ModelBucket", "ModelBucketSpec"),
    "eksml.storage.postgresql": ("DatabaseAccess", "ExistingDatabaseSpec", "Postgresql", "PostgresqlSpec"),
    "eksml.storage.shared_storage": ("SharedStorage", "SharedStorageSpec"),
    "eksml.storage.volumes": ("ClaimVolume", "FileSystemVolume", "S3Volume"),
    "eksml.tenancy.kueue": ("Kueue", "KueueSpec"),
    "eksml.tenancy.network_policies": ("TeamEgress",),
    "eksml.tenancy.quotas": ("PoolQuota", "Share", "TeamLimits"),
    "eksml.tenancy.team": ("ModelAccess", "Team", "TeamSpec", "TeamVolumes"),
    "eksml.tenancy.team_queue": ("TeamQueue", "TeamQueueSpec"),
    "eksml.tracking.mlflow": ("Mlflow",),
    "eksml.tracking.mlflow_spec": (
        "ArtifactsSpec",
        "MlflowBasicAuthentication",
        "MlflowEntryAuthentication",
        "MlflowSpec",
    ),
    "eksml.tracking.tensorboard": ("TensorBoard", "TensorBoardSpec", "tensor_board_access", "tensor_board_problems"),
    "eksml.tracking.tracking": ("Tracking", "TrackingSpec"),
    "eksml.tracking.weights_and_biases": ("WeightsAndBiases", "WeightsAndBiasesSpec", "weights_and_biases_problems"),
    "eksml.training.code": ("ConfigMapCode", "GitCode", "ImageCode", "files_of"),
    "eksml.training.framework_resources": ("FrameworkResources", "FrameworkResourcesSpec"),
    "eksml.training.hyperparameter_search": (
        "HyperparameterSearch",
        "HyperparameterSearchSpec",
        "OptunaSearch",
        "WandbSweep",
    ),
    "eksml.training.jax_training": ("JaxTraining", "JaxTrainingSpec"),
    "eksml.training.job": ("Helpers", "JobSpec"),
    "eksml.training.kuberay": ("KubeRay", "KubeRaySpec"),
    "eksml.training.mpi_operator": ("MpiOperator", "MpiOperatorSpec"),
    "eksml.training.mpi_training": ("MpiTraining", "MpiTrainingSpec"),
    "eksml.training.native_training": ("NativeTraining", "NativeTrainingSpec"),
    "eksml.training.operators": ("TrainingOperators", "TrainingSpec"),
    "eksml.training.pytorch_training": ("Launcher", "PyTorchTraining", "PyTorchTrainingSpec"),
    "eksml.training.ray_training": ("RayTraining", "RayTrainingSpec"),
    "eksml.training.tensorflow_training": ("TensorFlowTraining", "TensorFlowTrainingSpec"),
    "eksml.training.trainer": ("Trainer", "TrainerSpec"),
    "eksml.training.trainer_training": ("TrainerTraining", "TrainerTrainingSpec"),
    "eksml.training.training_job": ("TrainingJob",),
    "eksml.training.training_operator": ("TrainingOperator", "TrainingOperatorSpec"),
    "eksml.weekly_hours": ("WeeklyHours",),
    "eksml.workload": ("Workload",),
}
__all__, __getattr__, __dir__ = lazy.public_names(__name__, _PUBLIC)
