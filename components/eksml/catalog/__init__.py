"""Facts as data, with typed readers. README.md in this folder says what belongs here.

Names are loaded on first use: a command pays for the facts that it reads.
"""

from typing import TYPE_CHECKING

from eksml import lazy

if TYPE_CHECKING:
    from eksml.catalog._amis import AmiFamily as AmiFamily
    from eksml.catalog._amis import ami_families as ami_families
    from eksml.catalog._charts import Chart as Chart
    from eksml.catalog._charts import ChartWorkload as ChartWorkload
    from eksml.catalog._charts import chart_values as chart_values
    from eksml.catalog._charts import charts as charts
    from eksml.catalog._cold_starts import ColdStartFacts as ColdStartFacts
    from eksml.catalog._cold_starts import EngineStart as EngineStart
    from eksml.catalog._cold_starts import Rate as Rate
    from eksml.catalog._cold_starts import ReadRate as ReadRate
    from eksml.catalog._cold_starts import Span as Span
    from eksml.catalog._cold_starts import WeightSource as WeightSource
    from eksml.catalog._cold_starts import cold_starts as cold_starts
    from eksml.catalog._databases import DatabaseInstanceClass as DatabaseInstanceClass
    from eksml.catalog._databases import Databases as Databases
    from eksml.catalog._databases import DatabaseVersion as DatabaseVersion
    from eksml.catalog._databases import databases as databases
    from eksml.catalog._decisions import Condition as Condition
    from eksml.catalog._decisions import DecisionRow as DecisionRow
    from eksml.catalog._decisions import decisions as decisions
    from eksml.catalog._decisions import hold as hold
    from eksml.catalog._decisions import rows_that_hold as rows_that_hold
    from eksml.catalog._durations import CreateTime as CreateTime
    from eksml.catalog._durations import Duration as Duration
    from eksml.catalog._durations import WholeStack as WholeStack
    from eksml.catalog._durations import create_time as create_time
    from eksml.catalog._durations import durations as durations
    from eksml.catalog._durations import karpenter_node as karpenter_node
    from eksml.catalog._durations import whole_stacks as whole_stacks
    from eksml.catalog._eks_addons import AddonWorkload as AddonWorkload
    from eksml.catalog._eks_addons import EksAddon as EksAddon
    from eksml.catalog._eks_addons import eks_addons as eks_addons
    from eksml.catalog._eks_addons import service_account as service_account
    from eksml.catalog._engines import Analysis as Analysis
    from eksml.catalog._engines import AnalysisQuery as AnalysisQuery
    from eksml.catalog._engines import Backend as Backend
    from eksml.catalog._engines import Engine as Engine
    from eksml.catalog._engines import EngineKind as EngineKind
    from eksml.catalog._engines import Rating as Rating
    from eksml.catalog._engines import Signal as Signal
    from eksml.catalog._engines import engines as engines
    from eksml.catalog._engines import for_pods as for_pods
    from eksml.catalog._facts import today as today
    from eksml.catalog._frameworks import Framework as Framework
    from eksml.catalog._frameworks import PodSize as PodSize
    from eksml.catalog._frameworks import TrainingSteps as TrainingSteps
    from eksml.catalog._frameworks import Variable as Variable
    from eksml.catalog._frameworks import collectives as collectives
    from eksml.catalog._frameworks import frameworks as frameworks
    from eksml.catalog._frameworks import training_steps as training_steps
    from eksml.catalog._gpus import GpuModel as GpuModel
    from eksml.catalog._gpus import gpus as gpus
    from eksml.catalog._images import Image as Image
    from eksml.catalog._images import image_of as image_of
    from eksml.catalog._images import images as images
    from eksml.catalog._inference_memory import EngineLimits as EngineLimits
    from eksml.catalog._inference_memory import Estimate as Estimate
    from eksml.catalog._inference_memory import InferenceEngine as InferenceEngine
    from eksml.catalog._inference_memory import Precision as Precision
    from eksml.catalog._inference_memory import inference_engines as inference_engines
    from eksml.catalog._inference_memory import precisions as precisions
    from eksml.catalog._instance_types import Gpu as Gpu
    from eksml.catalog._instance_types import InstanceType as InstanceType
    from eksml.catalog._instance_types import instance_types as instance_types
    from eksml.catalog._instance_types import on_demand_price as on_demand_price
    from eksml.catalog._instance_types import priced_regions as priced_regions
    from eksml.catalog._kubernetes_versions import KubernetesVersion as KubernetesVersion
    from eksml.catalog._kubernetes_versions import default_kubernetes_version as default_kubernetes_version
    from eksml.catalog._kubernetes_versions import kubernetes_versions as kubernetes_versions
    from eksml.catalog._kubernetes_versions import usable_kubernetes_versions as usable_kubernetes_versions
    from eksml.catalog._kustomizations import Overlay as Overlay
    from eksml.catalog._kustomizations import OverlayObject as OverlayObject
    from eksml.catalog._kustomizations import OverlayWorkload as OverlayWorkload
    from eksml.catalog._kustomizations import kustomizations as kustomizations
    from eksml.catalog._metrics import Exporter as Exporter
    from eksml.catalog._metrics import Metric as Metric
    from eksml.catalog._metrics import exporters as exporters
    from eksml.catalog._metrics import series_in as series_in
    from eksml.catalog._model_types import model_types as model_types
    from eksml.catalog._models import Attention as Attention
    from eksml.catalog._models import EncoderAttention as EncoderAttention
    from eksml.catalog._models import Experts as Experts
    from eksml.catalog._models import FullAttention as FullAttention
    from eksml.catalog._models import LatentAttention as LatentAttention
    from eksml.catalog._models import Model as Model
    from eksml.catalog._models import ModelShape as ModelShape
    from eksml.catalog._models import RecurrentAttention as RecurrentAttention
    from eksml.catalog._models import SlidingAttention as SlidingAttention
    from eksml.catalog._models import Transformer as Transformer
    from eksml.catalog._models import models as models
    from eksml.catalog._orchestrators import Orchestrator as Orchestrator
    from eksml.catalog._orchestrators import orchestrators as orchestrators
    from eksml.catalog._permissions import permissions as permissions
    from eksml.catalog._price_list import NO_PRICES as NO_PRICES
    from eksml.catalog._price_list import ListedPrice as ListedPrice
    from eksml.catalog._price_list import PriceList as PriceList
    from eksml.catalog._price_list import price_list as price_list
    from eksml.catalog._prices import EVERYWHERE as EVERYWHERE
    from eksml.catalog._prices import Listing as Listing
    from eksml.catalog._prices import PricedThing as PricedThing
    from eksml.catalog._prices import RegionalPrice as RegionalPrice
    from eksml.catalog._prices import SpotPrice as SpotPrice
    from eksml.catalog._prices import SpotRange as SpotRange
    from eksml.catalog._prices import free_types as free_types
    from eksml.catalog._prices import instance_listing as instance_listing
    from eksml.catalog._prices import price as price
    from eksml.catalog._prices import price_list_units as price_list_units
    from eksml.catalog._prices import prices as prices
    from eksml.catalog._prices import spot_prices as spot_prices
    from eksml.catalog._prices import spot_range as spot_range
    from eksml.catalog._prices import unseen_prices as unseen_prices
    from eksml.catalog._prices import usage_type_prefixes as usage_type_prefixes
    from eksml.catalog._programs import Program as Program
    from eksml.catalog._programs import kubectl_skew as kubectl_skew
    from eksml.catalog._programs import programs as programs
    from eksml.catalog._quotas import InstanceQuota as InstanceQuota
    from eksml.catalog._quotas import Purchase as Purchase
    from eksml.catalog._quotas import Quota as Quota
    from eksml.catalog._quotas import instance_quota as instance_quota
    from eksml.catalog._quotas import quotas as quotas
    from eksml.catalog._rds_certificates import rds_certificates as rds_certificates
    from eksml.catalog._regions import Region as Region
    from eksml.catalog._regions import eks_image_registry as eks_image_registry
    from eksml.catalog._regions import managed_policy_arn as managed_policy_arn
    from eksml.catalog._regions import partition as partition
    from eksml.catalog._regions import regions as regions
    from eksml.catalog._regions import regions_beside as regions_beside
    from eksml.catalog._replacements import Replacement as Replacement
    from eksml.catalog._replacements import replacement as replacement
    from eksml.catalog._replacements import replacements as replacements
    from eksml.catalog._service_roles import ServiceRole as ServiceRole
    from eksml.catalog._service_roles import service_roles as service_roles
    from eksml.catalog._tools import EngineChoice as EngineChoice
    from eksml.catalog._tools import FrameworkChoice as FrameworkChoice
    from eksml.catalog._tools import OrchestratorChoice as OrchestratorChoice
    from eksml.catalog._tools import Tool as Tool
    from eksml.catalog._tools import tool_categories as tool_categories
    from eksml.catalog._tools import tools as tools
    from eksml.catalog._training_memory import Optimizer as Optimizer
    from eksml.catalog._training_memory import TrainingMemory as TrainingMemory
    from eksml.catalog._training_memory import training_memory as training_memory
    from eksml.catalog._vpc_endpoints import VpcEndpoints as VpcEndpoints
    from eksml.catalog._vpc_endpoints import vpc_endpoints as vpc_endpoints
    from eksml.catalog._xid_errors import XidErrors as XidErrors
    from eksml.catalog._xid_errors import xid_errors as xid_errors

_PUBLIC = {
    "eksml.catalog._amis": ("AmiFamily", "ami_families"),
    "eksml.catalog._charts": ("Chart", "ChartWorkload", "chart_values", "charts"),
    "eksml.catalog._cold_starts": (
        "ColdStartFacts",
        "EngineStart",
        "Rate",
        "ReadRate",
        "Span",
        "WeightSource",
        "cold_starts",
    ),
    "eksml.catalog._databases": ("DatabaseInstanceClass", "DatabaseVersion", "Databases", "databases"),
    "eksml.catalog._decisions": ("Condition", "DecisionRow", "decisions", "hold", "rows_that_hold"),
    "eksml.catalog._durations": (
        "CreateTime",
        "Duration",
        "WholeStack",
        "create_time",
        "durations",
        "karpenter_node",
        "whole_stacks",
    ),
    "eksml.catalog._eks_addons": ("AddonWorkload", "EksAddon", "eks_addons", "service_account"),
    "eksml.catalog._engines": (
        "Analysis",
        "AnalysisQuery",
        "Backend",
        "Engine",
        "EngineKind",
        "Rating",
        "Signal",
        "engines",
        "for_pods",
    ),
    "eksml.catalog._facts": ("today",),
    "eksml.catalog._frameworks": (
        "Framework",
        "PodSize",
        "TrainingSteps",
        "Variable",
        "collectives",
        "frameworks",
        "training_steps",
    ),
    "eksml.catalog._gpus": ("GpuModel", "gpus"),
    "eksml.catalog._images": ("Image", "image_of", "images"),
    "eksml.catalog._inference_memory": (
        "EngineLimits",
        "Estimate",
        "InferenceEngine",
        "Precision",
        "inference_engines",
        "precisions",
    ),
    "eksml.catalog._instance_types": ("Gpu", "InstanceType", "instance_types", "on_demand_price", "priced_regions"),
    "eksml.catalog._kubernetes_versions": (
        "KubernetesVersion",
        "default_kubernetes_version",
        "kubernetes_versions",
        "usable_kubernetes_versions",
    ),
    "eksml.catalog._kustomizations": ("Overlay", "OverlayObject", "OverlayWorkload", "kustomizations"),
    "eksml.catalog._metrics": ("Exporter", "Metric", "exporters", "series_in"),
    "eksml.catalog._model_types": ("model_types",),
    "eksml.catalog._models": (
        "Attention",
        "EncoderAttention",
        "Experts",
        "FullAttention",
        "LatentAttention",
        "Model",
        "ModelShape",
        "RecurrentAttention",
        "SlidingAttention",
        "Transformer",
        "models",
    ),
    "eksml.catalog._orchestrators": ("Orchestrator", "orchestrators"),
    "eksml.catalog._permissions": ("permissions",),
    "eksml.catalog._price_list": ("NO_PRICES", "ListedPrice", "PriceList", "price_list"),
    "eksml.catalog._prices": (
        "EVERYWHERE",
        "Listing",
        "PricedThing",
        "RegionalPrice",
        "SpotPrice",
        "SpotRange",
        "free_types",
        "instance_listing",
        "price",
        "price_list_units",
        "prices",
        "spot_prices",
        "spot_range",
        "unseen_prices",
        "usage_type_prefixes",
    ),
    "eksml.catalog._programs": ("Program", "kubectl_skew", "programs"),
    "eksml.catalog._quotas": ("InstanceQuota", "Purchase", "Quota", "instance_quota", "quotas"),
    "eksml.catalog._rds_certificates": ("rds_certificates",),
    "eksml.catalog._regions": (
        "Region",
        "eks_image_registry",
        "managed_policy_arn",
        "partition",
        "regions",
        "regions_beside",
    ),
    "eksml.catalog._replacements": ("Replacement", "replacement", "replacements"),
    "eksml.catalog._service_roles": ("ServiceRole", "service_roles"),
    "eksml.catalog._tools": (
        "EngineChoice",
        "FrameworkChoice",
        "OrchestratorChoice",
        "Tool",
        "tool_categories",
        "tools",
    ),
    "eksml.catalog._training_memory": ("Optimizer", "TrainingMemory", "training_memory"),
    "eksml.catalog._vpc_endpoints": ("VpcEndpoints", "vpc_endpoints"),
    "eksml.catalog._xid_errors": ("XidErrors", "xid_errors"),
}
__all__, __getattr__, __dir__ = lazy.public_names(__name__, _PUBLIC)
