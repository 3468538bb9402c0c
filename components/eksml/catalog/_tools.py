"""Tools of machine learning: whether they are alive, what they go with, and their place in this library."""

from datetime import date
from functools import cache
from typing import Literal

from pydantic import Field

from eksml.catalog._engines import Rating, engines
from eksml.catalog._facts import Fact, load
from eksml.catalog._orchestrators import orchestrators

ToolCategory = Literal[
    "framework",
    "orchestrator",
    "trainingLibrary",
    "hyperparameters",
    "server",
    "optimizer",
    "tracker",
    "notebooks",
    "monitor",
    "dataLoading",
    "vision",
    "language",
    "edge",
    "pipeline",
    "rollout",
    "images",
]


class Upstream(Fact):
    """Whether anybody still works on a tool."""

    state: Literal["alive", "maintenance", "ended", "unknown"]
    version: str | None
    """Its last release; None: it has no releases of its own, or no source says."""
    released: str | None
    """The month of that release, YYYY-MM."""
    source: str
    date: date


class OwnJudgement(Fact):
    """Grades of this project, where the documents have none."""

    judgements: dict[str, str]
    because: str


class CorrectedValue(Fact):
    """A judgement of the documents that does not hold today."""

    value: str
    because: str
    source: str


class CorrectedValues(Fact):
    """A list of the documents that does not hold today."""

    values: tuple[str, ...]
    because: str
    source: str


class FrameworkChoice(Fact):
    """What a framework is chosen by."""

    trains: bool
    """Whether models are trained with it; if not, it only runs them."""
    targets: tuple[str, ...]
    """Where its models run."""
    workloads: tuple[str, ...]
    hardware: tuple[str, ...]
    trained_on: Literal["cpu", "gpu"] = "gpu"
    """What a platform has for it where nobody asks for the other."""
    judgements: dict[str, str] | None
    """The documents' decision matrix; None: it is not in it."""
    stars: dict[str, int] | None
    """The documents' stars, one to five; None: it has none."""
    corrected: dict[str, CorrectedValue] = Field(default_factory=dict)

    def grade(self, criterion: str) -> str | None:
        """What is said of it today; None: nobody judges it."""
        if criterion in self.corrected:
            return self.corrected[criterion].value
        if self.stars and criterion in self.stars:
            return str(self.stars[criterion])
        return (self.judgements or {}).get(criterion)


class EngineChoice(Fact):
    """Which engine a model server is, and what the documents' matrix has wrong or does not have."""

    kind: str
    """Its kind in engines.yaml."""
    backend: str | None = None
    """The backend of that kind which is meant; None: any."""
    through_onnx: tuple[str, ...] = ()
    """The frameworks whose models it serves once they are exported to ONNX, and not as they are."""
    corrected: dict[Literal["frameworks", "modelTypes"], CorrectedValues] = Field(default_factory=dict)
    ours: OwnJudgement | None = None

    @property
    def rating(self) -> Rating:
        """Its row of the documents' matrix."""
        engine = engines()[self.kind]
        of_backend = engine.backends[self.backend].rating if self.backend else None
        return of_backend or engine.rating

    @property
    def frameworks(self) -> tuple[str, ...]:
        """The frameworks whose models it serves today; `all` stands for every one."""
        corrected = self.corrected.get("frameworks")
        return corrected.values if corrected else self.rating.frameworks

    @property
    def model_types(self) -> tuple[str, ...]:
        """The types of model that it serves today; `all` stands for every one."""
        corrected = self.corrected.get("modelTypes")
        return corrected.values if corrected else self.rating.model_types

    @property
    def grades(self) -> dict[str, str]:
        """The documents' grades by criterion, and ours where they have none."""
        documents = self.rating.model_dump(by_alias=True, exclude={"frameworks", "model_types"}, exclude_none=True)
        return {**(self.ours.judgements if self.ours else {}), **documents}


class OrchestratorChoice(Fact):
    """Which way to train this is, and what it can run."""

    name: str
    """Its name in orchestrators.yaml."""
    source: str
    """Who says what it can run."""
    frameworks: tuple[str, ...]
    on_several_nodes: tuple[str, ...]
    """Of those, the ones that it spreads over several nodes."""
    only_mpi: bool = False
    """Whether it runs programs of MPI and nothing else."""
    is_alpha: bool = False
    ours: OwnJudgement | None = None

    @property
    def grades(self) -> dict[str, str]:
        """The documents' grades by criterion, and ours where they have none."""
        way = orchestrators()[self.name]
        documents = {
            "learningCurve": way.learning_curve,
            "flexibility": way.flexibility,
            "ecosystem": way.ecosystem,
            "kubernetesNative": way.kubernetes_native,
        }
        given = {criterion: grade for criterion, grade in documents.items() if grade}
        return {**(self.ours.judgements if self.ours else {}), **given}


class TrackerChoice(Fact):
    """The documents' row of a tracker."""

    deployment: Literal["self-hosted", "hosted"]
    cost: Literal["free", "paid"]
    kubernetes_integration: str
    learning_curve: str
    features: tuple[str, ...]


class Tool(Fact):
    """One tool. It has a place in this library, or a reason why not."""

    title: str
    category: ToolCategory
    upstream: Upstream
    components: tuple[str, ...] = ()
    """The components that run it or make its objects."""
    blueprints: tuple[str, ...] = ()
    """The blueprints that show it, below `blueprints/`."""
    settings: tuple[str, ...] = ()
    """The settings of a platform that bring it."""
    works_with: tuple[str, ...] = ()
    """Other tools, by name."""
    successor: str | None = None
    """What to take instead of one that has ended, or what comes after one that is alive; the name of a tool."""
    left_out: str | None = None
    """Why it is not in this library."""
    note: str | None = None
    framework: FrameworkChoice | None = None
    engine: EngineChoice | None = None
    orchestrator: OrchestratorChoice | None = None
    tracker: TrackerChoice | None = None


@cache
def tools() -> dict[str, Tool]:
    """Every tool of the catalog, by name."""
    return {name: Tool.model_validate(entry) for name, entry in load("tools.yaml")["tools"].items()}


@cache
def tool_categories() -> dict[str, str]:
    """The titles of the categories, in the order in which they are shown."""
    return load("tools.yaml")["categories"]
