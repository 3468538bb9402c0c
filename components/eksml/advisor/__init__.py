"""The advisor: which framework, model server, way to train, tracker and profile, with reasons.

Facts and what the decision guides say are in the catalog, what counts how much in weights.yaml. Nothing here loads a
provider's SDK, but for `recommend_profile`, which validates the stack file that it writes.
"""

from eksml.advisor.frameworks import recommend_framework
from eksml.advisor.inference import recommend_inference_tool
from eksml.advisor.mlops import MlopsStack, select_mlops_stack
from eksml.advisor.profile import ProfileChoice, recommend_profile
from eksml.advisor.ranking import Change, Ranking, Reasons
from eksml.advisor.requirements import (
    FrameworkRequirements,
    InferenceRequirements,
    MlopsRequirements,
    ProfileAnswers,
    TrainingRequirements,
)
from eksml.advisor.training import recommend_training_orchestrator

__all__ = [
    "Change",
    "FrameworkRequirements",
    "InferenceRequirements",
    "MlopsRequirements",
    "MlopsStack",
    "ProfileAnswers",
    "ProfileChoice",
    "Ranking",
    "Reasons",
    "TrainingRequirements",
    "recommend_framework",
    "recommend_inference_tool",
    "recommend_profile",
    "recommend_training_orchestrator",
    "select_mlops_stack",
]
