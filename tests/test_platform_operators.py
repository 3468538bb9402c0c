"""The operators of a platform, for training and queues."""

import pytest
import yaml

from eksml import catalog
from eksml.plan import Plan
from platforms import BY_KUBECONFIG, platform, production, release, research
from programs import needs, one

pytestmark = pytest.mark.slow


def frameworks(plan: Plan) -> list[str]:
    values = release(plan, "kueue").inputs["values"]["managerConfig"]["controllerManagerConfigYaml"]
    return yaml.safe_load(values)["integrations"]["frameworks"]


def test_each_profile_has_the_operators_of_its_team() -> None:
    assert release(research(), "kuberay-operator")
    made = {each.name for each in production().of_type("kubernetes:kustomize/v2:Directory")}
    assert made == {"lab-training-operator", "lab-mpi-operator", "lab-prometheus-crds"}
    assert platform({"profile": "startup"}).of_type("eksml:training:TrainingOperators") == []


def test_in_production_no_operator_stands_still_because_one_node_goes() -> None:
    budgets = production().of_type("kubernetes:policy/v1:PodDisruptionBudget")
    assert {each.inputs["metadata"]["namespace"] for each in budgets} == {
        "kubeflow",
        "mlflow",
        "mpi-operator",
        "serving",
    }


def test_what_the_operators_bring_is_queued_beside_what_is_asked_for() -> None:
    assert set(frameworks(research())) >= {"batch/job", "ray.io/raycluster", "ray.io/rayjob", "ray.io/rayservice"}
    assert set(frameworks(production())) >= {
        "batch/job",
        "kubeflow.org/jaxjob",
        "kubeflow.org/mpijob",
        "kubeflow.org/paddlejob",
        "kubeflow.org/pytorchjob",
        "kubeflow.org/tfjob",
        "kubeflow.org/xgboostjob",
    }
    own = production(queueing={"frameworks": ["kubeflow.org/mpijob", "batch/job"]})
    assert len(frameworks(own)) == len(set(frameworks(own)))
    assert frameworks(production(training=None))[:1] == ["batch/job"]
    assert "kubeflow.org/mpijob" not in frameworks(production(training=None))


def test_members_of_a_team_may_make_every_kind_of_job_that_an_operator_brings() -> None:
    role = one(production(), "kubernetes:rbac.authorization.k8s.io/v1:Role", "lab-training-role").inputs
    allowed = {(group, kind) for rule in role["rules"] for group in rule["apiGroups"] for kind in rule["resources"]}
    of_training = [each for each in catalog.kustomizations().values() if str(each.setting).startswith("training.")]
    assert len(of_training) == 3
    for definition in (crd for overlay in of_training for crd in overlay.crds):
        plural, _, group = definition.partition(".")
        assert (group, plural) in allowed


def test_operators_come_after_nodes_that_they_can_run_on_and_go_after_the_jobs_of_teams() -> None:
    for plan, made in ((production(), "kubernetes:kustomize/v2:Directory"), (research(), "eksml:training:KubeRay")):
        for operator in plan.of_type(made):
            assert one(plan, "aws:eks/nodeGroup:NodeGroup", "lab-system").urn in needs(plan, operator)
            for team in plan.of_type("eksml:tenancy:Team"):
                assert operator.urn in needs(plan, team), "its controller clears up what a job leaves"


def test_operators_and_karpenter_do_not_wait_for_each_other() -> None:
    operator, karpenter = release(research(), "kuberay-operator"), release(research(), "karpenter")
    assert operator.urn not in needs(research(), karpenter)
    assert karpenter.urn not in needs(research(), operator)


def test_a_cluster_by_its_kubeconfig_can_have_operators() -> None:
    settings = {**BY_KUBECONFIG, "training": {"trainingOperator": {"replicas": 2}}}
    plan = platform(settings, kubeconfig="their kubeconfig")
    assert release(plan, "kuberay-operator")
    assert one(plan, "kubernetes:kustomize/v2:Directory", "lab-training-operator")
