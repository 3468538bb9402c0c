"""Ways to run training on Kubernetes, and what is said of them."""

from functools import cache

from eksml.catalog._facts import SourcedFact, load


class Orchestrator(SourcedFact):
    """One way. A judgement is None where the documents have none."""

    title: str
    learning_curve: str | None
    flexibility: str | None
    ecosystem: str | None
    kubernetes_native: str | None
    components: tuple[str, ...]
    """The components that make its jobs."""
    elastic: str
    """What happens when pods come and go while it trains."""
    blueprints: tuple[str, ...]
    choose_when: str


@cache
def orchestrators() -> dict[str, Orchestrator]:
    """Every way of the catalog, by name."""
    entries = load("orchestrators.yaml")["orchestrators"]
    return {name: Orchestrator.model_validate(entry) for name, entry in entries.items()}
