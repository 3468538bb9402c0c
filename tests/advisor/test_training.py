"""Which way to train."""

from typing import Any

import pytest

from eksml.advisor import recommend_training_orchestrator


@pytest.mark.parametrize(
    ("requirements", "best"),
    [
        ({"framework": "pytorch", "team": "research"}, "ray"),
        ({"framework": "tensorflow", "team": "production"}, "kubeflow"),
        ({"framework": "pytorch", "team": "startup"}, "native_kubernetes"),
        ({"framework": "pytorch"}, "native_kubernetes"),
        ({"framework": "pytorch", "hyperparameter_search": True}, "ray"),
        ({"framework": "pytorch", "several_frameworks": True}, "kubeflow"),
        ({"framework": "pytorch", "mpi_program": True}, "mpi_operator"),
        ({"framework": "tensorflow", "several_nodes": True, "kubernetes_experience": "high"}, "kubeflow"),
        ({"framework": "tensorflow", "several_nodes": True, "kubernetes_experience": "low"}, "ray"),
        ({"framework": "scikit-learn", "ease_of_use_priority": True}, "native_kubernetes"),
        ({"framework": "scikit-learn", "several_nodes": True}, "ray"),
        ({"framework": "xgboost"}, "native_kubernetes"),
        ({"framework": "xgboost", "several_nodes": True}, "ray"),
        ({"framework": "scikit-learn", "several_nodes": True, "mpi_program": True}, "mpi_operator"),
    ],
    ids=str,
)
def test_the_answer_is_sensible(requirements: dict[str, Any], best: str) -> None:
    ranking = recommend_training_orchestrator(requirements)
    assert ranking.best == best
    assert ranking.ties == ()


def test_what_cannot_run_it_is_left_out_with_the_reason() -> None:
    ranking = recommend_training_orchestrator({"framework": "tensorflow", "several_nodes": True})
    assert ranking.excluded["native_kubernetes"] == ("on several nodes it trains pytorch, not tensorflow",)
    assert ranking.excluded["trainer"] == ("it trains pytorch or jax, not tensorflow", "it is alpha")
    assert ranking.excluded["mpi_operator"] == ("it starts programs of MPI, and yours is none",)
    assert set(ranking.ties) == {"ray", "kubeflow"}


def test_alpha_software_must_be_asked_for() -> None:
    assert "trainer" in recommend_training_orchestrator({"framework": "pytorch"}).excluded
    asked = recommend_training_orchestrator({"framework": "pytorch", "allow_alpha": True})
    assert asked.reasons["trainer"].cons[0].startswith("graded by us: ")
