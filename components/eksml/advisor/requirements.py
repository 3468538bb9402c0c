"""What the advisor is asked: requirements as types, in the words of the decision guides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field

from eksml.catalog.decisions import decisions
from eksml.catalog.models import models
from eksml.errors import Problem, listed, nearest, repetitions
from eksml.spec import EmailAddress, Flag, PositiveCount, Region, Spec, parse

TeamSize = Annotated[int, Field(strict=True, ge=1, le=100_000)]


class Goal(StrEnum):
    """What a framework is for; the decision tree begins with it."""

    PRODUCTION = "production"
    RESEARCH = "research"
    PERFORMANCE = "performance"
    LEARNING = "learning"


class WorkloadKind(StrEnum):
    """What is modelled."""

    LANGUAGE_MODEL = "language_model"
    VISION = "vision"
    TABULAR = "tabular"
    TIME_SERIES = "time_series"
    SIMULATION = "simulation"
    DEEP_LEARNING = "deep_learning"


class TargetDevice(StrEnum):
    """Where models run in the end."""

    SERVER = "server"
    MOBILE = "mobile"
    EDGE = "edge"
    BROWSER = "browser"


class Processor(StrEnum):
    """What calculates. EKS has no TPUs."""

    CPU = "cpu"
    GPU = "gpu"


class FrameworkName(StrEnum):
    """The frameworks that models are trained with."""

    PYTORCH = "pytorch"
    TENSORFLOW = "tensorflow"
    JAX = "jax"
    KERAS = "keras"
    SCIKIT_LEARN = "scikit-learn"


class ModelFramework(StrEnum):
    """What a model that is served was made with."""

    PYTORCH = "pytorch"
    TENSORFLOW = "tensorflow"
    JAX = "jax"
    KERAS = "keras"
    SCIKIT_LEARN = "scikit-learn"
    ONNX = "onnx"


class ModelType(StrEnum):
    """What a served model does."""

    LLM = "llm"
    CHAT = "chat"
    EMBEDDING = "embedding"
    TEXT = "text"
    VISION = "vision"
    TABULAR = "tabular"
    OTHER = "other"


class Performance(StrEnum):
    """The grades of an engine's performance."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    EXCELLENT = "excellent"


class TeamProfile(StrEnum):
    """The team profiles of the decision guides; a stack has one of them too."""

    RESEARCH = "research"
    PRODUCTION = "production"
    STARTUP = "startup"


class Money(StrEnum):
    """How much may be spent on tools."""

    MINIMAL = "minimal"
    MEDIUM = "medium"
    HIGH = "high"


class Level(StrEnum):
    """How much there is of something."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class FrameworkCriterion(StrEnum):
    """The criteria of the frameworks' decision matrix, and of their stars."""

    LEARNING_CURVE = "learningCurve"
    RESEARCH_SUPPORT = "researchSupport"
    PRODUCTION_READINESS = "productionReadiness"
    COMMUNITY_SIZE = "communitySize"
    INDUSTRY_ADOPTION = "industryAdoption"
    KUBERNETES_INTEGRATION = "kubernetesIntegration"
    HARDWARE_SUPPORT = "hardwareSupport"
    DEBUGGING = "debugging"
    MOBILE_AND_EDGE = "mobileAndEdge"
    MLOPS_ECOSYSTEM = "mlopsEcosystem"
    TRAINING_SPEED = "trainingSpeed"
    INFERENCE_SPEED = "inferenceSpeed"
    MEMORY_EFFICIENCY = "memoryEfficiency"
    EASE_OF_USE = "easeOfUse"


class EngineCriterion(StrEnum):
    """The criteria of the engines' matrix."""

    PERFORMANCE = "performance"
    EASE_OF_USE = "easeOfUse"
    MEMORY_EFFICIENCY = "memoryEfficiency"
    COST = "cost"


class OrchestratorCriterion(StrEnum):
    """The criteria of the orchestrators' matrix."""

    LEARNING_CURVE = "learningCurve"
    FLEXIBILITY = "flexibility"
    ECOSYSTEM = "ecosystem"
    KUBERNETES_NATIVE = "kubernetesNative"


class Requirements(Spec):
    """The base of what is asked. Its words are those of Python programs, not of a stack file."""

    model_config = ConfigDict(alias_generator=None)

    def rules(self) -> Iterator[Problem]:
        """Nothing is a priority twice."""
        yield from repetitions(("priorities",), getattr(self, "priorities", ()))

    @property
    def facts(self) -> dict[str, Any]:
        """What the rows of the decision guides look at."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class FrameworkRequirements(Requirements):
    """What a framework is chosen by."""

    goal: Goal | None = None
    """What it is for."""
    workload: WorkloadKind | None = None
    """What is modelled; deep_learning where it is neither of the others."""
    target: TargetDevice | None = None
    """Where the models run in the end."""
    large_scale: Flag = False
    """Whether it must serve very many requests, or train on many nodes."""
    hardware: Processor | None = None
    """What it calculates on."""
    functional: Flag = False
    """Whether functional programming is wanted."""
    portable: Flag = False
    """Whether models must not depend on the framework that serves them."""
    for_research: Flag = False
    """Whether who learns wants to do research with it."""
    rows: Annotated[int, Field(strict=True, ge=0, le=10**15)] | None = None
    """How many rows the tables have."""
    team_knows: FrameworkName | None = None
    """The framework that the team knows best."""
    priorities: tuple[FrameworkCriterion, ...] = ()
    """Criteria of the decision matrix that count more."""

    def rules(self) -> Iterator[Problem]:
        """Something is asked, and only tables have rows."""
        yield from super().rules()
        if self.goal is None and self.workload is None and self.target is None:
            yield Problem(("goal",), f"missing ({listed(Goal)}): give it, or workload or target")
        if self.rows is not None and self.workload is not WorkloadKind.TABULAR:
            yield Problem(("rows",), "given, but only tables have rows: give workload tabular too", ("workload",))

    @property
    def facts(self) -> dict[str, Any]:
        """What the rows look at: whether tables are large too."""
        return {**super().facts, "large_table": (self.rows or 0) > decisions().large_table_rows}


class InferenceRequirements(Requirements):
    """What a model server is chosen by."""

    framework: ModelFramework
    """What the model was made with."""
    model_type: ModelType
    """What the model does."""
    min_performance: Performance = Performance.LOW
    """The grade of performance that is needed at least."""
    ease_of_use_priority: Flag = False
    """Whether ease of use counts twice."""
    hardware: Processor | None = None
    """What it calculates on."""
    team: TeamProfile | None = None
    """The profile of the team, which has a favourite."""
    priorities: tuple[EngineCriterion, ...] = ()
    """Criteria of the engines' matrix that count more."""


class TrainingRequirements(Requirements):
    """What a way to train is chosen by."""

    framework: FrameworkName
    """What is trained with."""
    team: TeamProfile | None = None
    """The profile of the team, which has a favourite."""
    several_nodes: Flag = False
    """Whether a job runs on several nodes at once."""
    several_frameworks: Flag = False
    """Whether other frameworks are to be trained in the same way."""
    hyperparameter_search: Flag = False
    """Whether training, search and data preparation are to be one program."""
    mpi_program: Flag = False
    """Whether the program is one of MPI already."""
    allow_alpha: Flag = False
    """Whether alpha software will do."""
    ease_of_use_priority: Flag = False
    """Whether it must be easy to learn."""
    kubernetes_experience: Level | None = None
    """How well the team knows Kubernetes."""
    priorities: tuple[OrchestratorCriterion, ...] = ()
    """Criteria of the orchestrators' matrix that count more."""


class MlopsRequirements(Requirements):
    """What the tools around experiments and models are chosen by."""

    budget: Money
    """How much may be spent on tools."""
    team_size: TeamSize
    """How many people work with them."""
    compliance: Level
    """How strictly it must be shown who made which model of what."""
    data_must_stay: Flag = False
    """Whether nothing may leave your own account, settings and losses of runs neither."""
    team: TeamProfile | None = None
    """The profile of the team, which has a favourite."""


class ProfileAnswers(Requirements):
    """What a whole stack is made from."""

    goal: Goal
    """What the platform is for most of all."""
    team: TeamProfile | None = None
    """The profile, where you know it already; by default it follows from the goal and the budget."""
    workload: WorkloadKind | None = None
    """What is modelled most of all."""
    framework: FrameworkName | None = None
    """The framework; by default the one that the advisor recommends."""
    budget: Money = Money.MEDIUM
    """How much may be spent."""
    team_size: TeamSize = 5
    """How many people work on the platform."""
    compliance: Level = Level.LOW
    """How strictly it must be shown who made which model of what."""
    data_must_stay: Flag = False
    """Whether nothing may leave your own account, settings and losses of runs neither."""
    region: Region = "us-west-2"
    """AWS region of the platform."""
    model: str | None = None
    """A language model of the catalog that is served, by its id on the Hugging Face hub."""
    revision: str | None = None
    """The commit of that model, where the catalog knows none."""
    context_length: Annotated[int, Field(strict=True, ge=1, le=10_000_000)] = 8192
    """Tokens of one request to that model."""
    requests: PositiveCount = 4
    """Requests of that length at once."""
    training_gpus: PositiveCount | None = None
    """GPUs that training may have at once; by default those of the profile."""
    notebooks: Flag | None = None
    """Whether there are notebooks; by default as the profile has it."""
    monthly_usd: Annotated[int, Field(strict=True, ge=1, le=100_000_000)] | None = None
    """US dollars that a month may cost."""
    email: EmailAddress | None = None
    """Who is told when it costs more."""

    def rules(self) -> Iterator[Problem]:
        """The model can be served, and somebody is told of a budget only."""
        known = [name for name, model in models().items() if "textGeneration" in model.tasks]
        if self.model is not None and self.model not in known:
            text = f"'{self.model}' given, must be a language model of the catalog: {listed(known)}"
            yield Problem(("model",), f"{text}{nearest(self.model, known)}")
        elif self.model is not None and (models()[self.model].revision or self.revision) is None:
            text = f"missing: the catalog has no commit of {self.model}, its page on the hub has"
            yield Problem(("revision",), text, ("model",))
        if self.email is not None and self.monthly_usd is None:
            yield Problem(("email",), "given, but has no effect without monthly_usd", ("monthly_usd",))


RequirementsType = TypeVar("RequirementsType", bound=Requirements)


def requirements_of(kind: type[RequirementsType], given: Mapping[str, Any] | RequirementsType) -> RequirementsType:
    """Requirements from a mapping, or as they are. Raises SpecError with every problem at once."""
    return given if isinstance(given, kind) else parse(kind, given)
