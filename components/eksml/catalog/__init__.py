"""Facts as data, with typed readers. README.md in this folder says what belongs here."""

from eksml.catalog._facts import today
from eksml.catalog.amis import AmiFamily, ami_families
from eksml.catalog.charts import Chart, ChartWorkload, chart_values, charts
from eksml.catalog.cold_starts import ColdStartFacts, EngineStart, Rate, ReadRate, Span, WeightSource, cold_starts
from eksml.catalog.databases import DatabaseInstanceClass, Databases, DatabaseVersion, databases
from eksml.catalog.durations import (
    CreateTime,
    Duration,
    WholeStack,
    create_time,
    durations,
    karpenter_node,
    whole_stacks,
)
from eksml.catalog.eks_addons import AddonWorkload, EksAddon, eks_addons, service_account
from eksml.catalog.engines import (
    Analysis,
    AnalysisQuery,
    Backend,
    Engine,
    EngineKind,
    Rating,
    Signal,
    engines,
    for_pods,
)
from eksml.catalog.frameworks import Framework, PodSize, Variable, collectives, frameworks
from eksml.catalog.gpus import GpuModel, gpus
from eksml.catalog.images import Image, image_of, images
from eksml.catalog.inference_memory import (
    EngineLimits,
    Estimate,
    InferenceEngine,
    Precision,
    inference_engines,
    precisions,
)
from eksml.catalog.instance_types import InstanceType, instance_types, priced_regions
from eksml.catalog.kubernetes_versions import (
    KubernetesVersion,
    default_kubernetes_version,
    kubernetes_versions,
    usable_kubernetes_versions,
)
from eksml.catalog.kustomizations import Overlay, OverlayWorkload, kustomizations
from eksml.catalog.metrics import Exporter, Metric, exporters, series_in
from eksml.catalog.models import Model, ModelShape, Transformer, models
from eksml.catalog.orchestrators import Orchestrator, orchestrators
from eksml.catalog.permissions import permissions
from eksml.catalog.prices import (
    PricedThing,
    RegionalPrice,
    SpotPrice,
    SpotRange,
    free_types,
    price,
    prices,
    spot_prices,
    spot_range,
    unseen_prices,
)
from eksml.catalog.programs import Program, kubectl_skew, programs
from eksml.catalog.quotas import InstanceQuota, Purchase, Quota, instance_quota, quotas
from eksml.catalog.rds_certificates import rds_certificates
from eksml.catalog.regions import Region, eks_image_registry, managed_policy_arn, partition, regions
from eksml.catalog.replacements import Replacement, replacement, replacements
from eksml.catalog.service_roles import ServiceRole, service_roles
from eksml.catalog.training_memory import Optimizer, TrainingMemory, training_memory
from eksml.catalog.vpc_endpoints import VpcEndpoints, vpc_endpoints
from eksml.catalog.xid_errors import XidErrors, xid_errors

__all__ = [
    "AddonWorkload",
    "AmiFamily",
    "Analysis",
    "AnalysisQuery",
    "Backend",
    "Chart",
    "ChartWorkload",
    "ColdStartFacts",
    "CreateTime",
    "DatabaseInstanceClass",
    "DatabaseVersion",
    "Databases",
    "Duration",
    "EksAddon",
    "Engine",
    "EngineKind",
    "EngineLimits",
    "EngineStart",
    "Estimate",
    "Exporter",
    "Framework",
    "GpuModel",
    "Image",
    "InferenceEngine",
    "InstanceQuota",
    "InstanceType",
    "KubernetesVersion",
    "Metric",
    "Model",
    "ModelShape",
    "Optimizer",
    "Orchestrator",
    "Overlay",
    "OverlayWorkload",
    "PodSize",
    "Precision",
    "PricedThing",
    "Program",
    "Purchase",
    "Quota",
    "Rate",
    "Rating",
    "ReadRate",
    "Region",
    "RegionalPrice",
    "Replacement",
    "ServiceRole",
    "Signal",
    "Span",
    "SpotPrice",
    "SpotRange",
    "TrainingMemory",
    "Transformer",
    "Variable",
    "VpcEndpoints",
    "WeightSource",
    "WholeStack",
    "XidErrors",
    "ami_families",
    "chart_values",
    "charts",
    "cold_starts",
    "collectives",
    "create_time",
    "databases",
    "default_kubernetes_version",
    "durations",
    "eks_addons",
    "eks_image_registry",
    "engines",
    "exporters",
    "for_pods",
    "frameworks",
    "free_types",
    "gpus",
    "image_of",
    "images",
    "inference_engines",
    "instance_quota",
    "instance_types",
    "karpenter_node",
    "kubectl_skew",
    "kubernetes_versions",
    "kustomizations",
    "managed_policy_arn",
    "models",
    "orchestrators",
    "partition",
    "permissions",
    "precisions",
    "price",
    "priced_regions",
    "prices",
    "programs",
    "quotas",
    "rds_certificates",
    "regions",
    "replacement",
    "replacements",
    "series_in",
    "service_account",
    "service_roles",
    "spot_prices",
    "spot_range",
    "today",
    "training_memory",
    "unseen_prices",
    "usable_kubernetes_versions",
    "vpc_endpoints",
    "whole_stacks",
    "xid_errors",
]
