"""What the advisor is asked: requirements as types, in the words of the decision guides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field

from eksml.advisor.weights import weighting
from eksml.catalog import Model, decisions, models
from eksml.errors import Problem, listed, nearest, repetitions
from eksml.spec import EmailAddress, Flag, PositiveCount, Region, Revision, Spec, parse

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


# What other clouds calculate on, and what this library has no nodes of.
_NOT_HERE = {
    "tpu": "EKS has no TPUs, they are Google's; what is written for them in JAX runs on its GPUs",
    **dict.fromkeys(("trainium", "inferentia", "neuron"), "this library has no nodes of AWS Neuron"),
}


def _to_be_had(value: object) -> object:
    for word, why in _NOT_HERE.items():
        if isinstance(value, str) and value.lower().startswith(word):
            raise ValueError(f"must be {listed(Processor)}: {why}")
    return value


Hardware = Annotated[Processor, BeforeValidator(_to_be_had)]


class FrameworkName(StrEnum):
    """The frameworks that models are trained with."""

    PYTORCH = "pytorch"
    TENSORFLOW = "tensorflow"
    JAX = "jax"
    KERAS = "keras"
    SCIKIT_LEARN = "scikit-learn"
    XGBOOST = "xgboost"


class ModelFramework(StrEnum):
    """What a model that is served was made with."""

    PYTORCH = "pytorch"
    TENSORFLOW = "tensorflow"
    JAX = "jax"
    KERAS = "keras"
    SCIKIT_LEARN = "scikit-learn"
    XGBOOST = "xgboost"
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
    """How much may be spent on tools; `low` is minimal too."""

    MINIMAL = "minimal"
    MEDIUM = "medium"
    HIGH = "high"

    @classmethod
    def _missing_(cls, value: object) -> Money | None:
        return cls.MINIMAL if value == "low" else None


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

    needs: ClassVar[Mapping[str, str]] = {}
    """By requirement that has no effect without another one, that other one."""

    def rules(self) -> Iterator[Problem]:
        """Nothing is a priority twice, and all that is given has an effect."""
        yield from repetitions(("priorities",), getattr(self, "priorities", ()))
        for name, other in self.needs.items():
            if getattr(self, name) != type(self).model_fields[name].default and getattr(self, other) is None:
                yield Problem((name,), f"given, but has no effect without {other}", (other,))

    @classmethod
    def is_asked(cls, name: str, given: Mapping[str, Any]) -> bool:
        """Whether a requirement can have an effect, or is needed, where others are given."""
        return cls.needs.get(name, name) in {*given, name}

    def tried(self) -> dict[str, tuple[int | None, ...]]:
        """Of the numbers on which an answer turns, those around which it does."""
        return {}

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
    hardware: Hardware | None = None
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

    def tried(self) -> dict[str, tuple[int | None, ...]]:
        """A table with more rows than the limit is large."""
        return {"rows": _around(decisions().large_table_rows)}

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
    hardware: Hardware | None = None
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

    def tried(self) -> dict[str, tuple[int | None, ...]]:
        """A team of more people than the limit is large."""
        return {"team_size": _around(weighting().mlops.large_team)}


class ProfileAnswers(Requirements):
    """What a whole stack is made from."""

    needs: ClassVar[Mapping[str, str]] = {
        "revision": "model",
        "context_length": "model",
        "requests": "model",
        "email": "monthly_usd",
    }

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
    revision: Revision | None = None
    """The commit of that model, where the catalog knows none."""
    context_length: Annotated[int, Field(strict=True, ge=1, le=10_000_000)] = 8192
    """Tokens of one request to that model."""
    requests: PositiveCount = 4
    """Requests of that length at once."""
    training_gpus: Annotated[int, Field(strict=True, ge=0, le=10_000)] | None = None
    """GPUs that training may have at once, 0 for no training; by default those of the profile, none for tables."""
    notebooks: Flag | None = None
    """Whether there are notebooks; by default as the profile has it."""
    monthly_usd: Annotated[int, Field(strict=True, ge=1, le=100_000_000)] | None = None
    """US dollars that a month may cost."""
    email: EmailAddress | None = None
    """Who is told when it costs more."""

    def tried(self) -> dict[str, tuple[int | None, ...]]:
        """A team of more people than the limit is large; who has a model to serve may train nothing."""
        of_training: dict[str, tuple[int | None, ...]] = {"training_gpus": (0, None)} if self.model else {}
        return {"team_size": _around(weighting().mlops.large_team), **of_training}

    @classmethod
    def is_asked(cls, name: str, given: Mapping[str, Any]) -> bool:
        """Not for a commit that the catalog has, nor for GPUs where tables are trained on CPUs."""
        if name == "training_gpus" and given.get("workload") == WorkloadKind.TABULAR and "framework" not in given:
            return False
        model = models().get(given.get("model", ""))
        is_known = name == "revision" and model is not None and model.revision is not None
        return super().is_asked(name, given) and not is_known

    def rules(self) -> Iterator[Problem]:
        """The model can be served."""
        yield from super().rules()
        known = {name: model.revision for name, model in models().items() if "textGeneration" in model.tasks}
        if self.model is not None and self.model not in known:
            names = (name if revision else f"{name} (with its revision)" for name, revision in known.items())
            text = f"'{self.model}' given, must be a language model of the catalog: {listed(names)}"
            yield Problem(("model",), f"{text}{nearest(self.model, known)}")
        elif self.model is not None and (known[self.model] or self.revision) is None:
            text = f"missing: the catalog has no commit of {self.model}"
            yield Problem(("revision",), f"{text}: give revision=<commit>, its page on the hub has it", ("model",))
        if self.model in known:
            yield from self._too_long(models()[self.model])

    def _too_long(self, model: Model) -> Iterator[Problem]:
        """A context that the model does not take."""
        most = model.transformer.context_length if model.transformer else self.context_length
        if self.context_length > most:
            text = f"{self.context_length} is too long, must be at most {most}: {self.model} takes no more"
            yield Problem(("context_length",), text, ("model",))


RequirementsType = TypeVar("RequirementsType", bound=Requirements)


def _around(limit: int) -> tuple[int | None, ...]:
    """The last number before something changes, and the first after it."""
    return (limit, limit + 1)


def requirements_of(kind: type[RequirementsType], given: Mapping[str, Any] | RequirementsType) -> RequirementsType:
    """Requirements from a mapping, or as they are. Raises SpecError with every problem at once."""
    return given if isinstance(given, kind) else parse(kind, given)
