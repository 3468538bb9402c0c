"""What each kind of training job does of its own."""

import base64
import json
import subprocess
import sys
from typing import Any

import pytest

from eksml import names
from eksml.errors import SpecError
from eksml.secret_key import SecretKey
from eksml.training.hyperparameter_search import WandbSweep
from eksml.training.job import Helpers
from eksml.training.ray_training import GcsRedis
from programs import names_of, one
from training.jobs import containers, environment, job, made, templates


def spec(kind: str, **settings: Any) -> Any:
    return made(job(kind, **settings), kind).inputs["spec"]


def test_pytorch_has_a_master_and_workers_and_torchrun_learns_of_them_from_the_operator() -> None:
    found = spec("pytorch", arguments=("--steps=10",))
    assert {kind: each["replicas"] for kind, each in found["pytorchReplicaSpecs"].items()} == {"Master": 1, "Worker": 1}
    assert found["nprocPerNode"] == "4"
    (container, *_) = containers(job("pytorch", arguments=("--steps=10",)), "pytorch")
    assert container["command"] == ["torchrun", "train.py", "--steps=10"]
    assert set(spec("pytorch", nodes=1)["pytorchReplicaSpecs"]) == {"Master"}


def test_an_elastic_pytorch_job_goes_on_with_fewer_nodes() -> None:
    found = spec("pytorch", nodes=4, min_nodes=2)
    assert (found["elasticPolicy"]["minReplicas"], found["elasticPolicy"]["maxReplicas"]) == (2, 4)
    assert {kind: each["replicas"] for kind, each in found["pytorchReplicaSpecs"].items()} == {"Worker": 4}


def test_deepspeeds_launcher_is_told_of_every_node_without_ssh() -> None:
    command = containers(job("pytorch", launcher="deepspeed", arguments=("--x=it's",)), "pytorch")[0]["command"]
    assert command[:3] == ["python", "-m", "deepspeed.launcher.launch"]
    (nodes,) = [word.removeprefix("--world_info=") for word in command if word.startswith("--world_info=")]
    assert json.loads(base64.urlsafe_b64decode(nodes)) == {"node-0": [0, 1, 2, 3], "node-1": [0, 1, 2, 3]}
    assert command[-2:] == ["train.py", "--x=it's"]


def test_accelerate_counts_the_processes_of_all_nodes() -> None:
    command = containers(job("pytorch", launcher="accelerate"), "pytorch")[0]["command"]
    assert {"--num_machines=2", "--num_processes=8", "--multi_gpu"} <= set(command)
    alone = job("pytorch", launcher="accelerate", nodes=1, gpus_per_node=0, instance_type="m7i.4xlarge")
    assert containers(alone, "pytorch")[0]["command"] == ["python", "train.py"]


def test_tensorflow_has_a_chief_workers_parameter_servers_without_gpus_and_an_evaluator() -> None:
    found = spec("tensorflow", parameter_servers=3, evaluator=True, checkpoints={"kind": "efs"})["tfReplicaSpecs"]
    assert {kind: each["replicas"] for kind, each in found.items()} == {
        "Chief": 1,
        "Worker": 1,
        "PS": 3,
        "Evaluator": 1,
    }
    (server,) = templates(found["PS"])
    assert names.GPU_RESOURCE not in server["spec"]["containers"][0]["resources"]["limits"]
    assert "tolerations" not in server["spec"]


def test_jax_has_one_process_for_each_node() -> None:
    assert spec("jax")["jaxReplicaSpecs"]["Worker"]["replicas"] == 2
    assert containers(job("jax"), "jax")[0]["name"] == "jax"


def test_mpi_starts_a_process_for_each_gpu_from_a_launcher_without_any() -> None:
    found = spec("mpi")
    assert found["slotsPerWorker"] == 4
    (launcher,) = templates(found["mpiReplicaSpecs"]["Launcher"])
    (container,) = launcher["spec"]["containers"]
    mpirun = container["command"][container["command"].index("mpirun") :]
    assert mpirun[:3] == ["mpirun", "-n", "8"]
    assert mpirun[-2:] == ["python", "train.py"]
    assert names.GPU_RESOURCE not in container["resources"]["limits"]
    assert "CHECKPOINT_DIR" in container["command"]


def test_pods_that_only_direct_others_can_be_sent_to_a_pool_too() -> None:
    helpers = Helpers(pool="system", cpus=0.5, memory_gib=1)
    (launcher,) = templates(spec("mpi", helpers=helpers)["mpiReplicaSpecs"]["Launcher"])
    assert launcher["spec"]["nodeSelector"] == {names.POOL_LABEL: "system"}
    assert launcher["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "0.5", "memory": "1Gi"}


def test_open_mpi_tells_its_processes_that_the_launcher_is_to_end_and_waits_for_them() -> None:
    (launcher,) = templates(spec("mpi")["mpiReplicaSpecs"]["Launcher"])
    command = launcher["spec"]["containers"][0]["command"]
    mpirun = (
        "import signal, sys; signal.signal(signal.SIGUSR1, lambda *_: sys.exit(143)); print(1, flush=True)\nwhile 1: 0"
    )
    shell = [*command[: command.index("mpirun")], sys.executable, "-c", mpirun]
    with subprocess.Popen(shell, stdout=subprocess.PIPE) as running:
        assert running.stdout
        running.stdout.readline()
        running.terminate()
        assert running.wait(timeout=30) == 143


def test_the_shell_around_mpirun_ends_as_it_does() -> None:
    (launcher,) = templates(spec("mpi")["mpiReplicaSpecs"]["Launcher"])
    command = launcher["spec"]["containers"][0]["command"]
    for code in (0, 3):
        shell = [*command[: command.index("mpirun")], sys.executable, "-c", f"exit({code})"]
        assert subprocess.run(shell, check=False).returncode == code


def test_other_implementations_of_mpi_start_without_a_shell() -> None:
    (launcher,) = templates(spec("mpi", implementation="mpich")["mpiReplicaSpecs"]["Launcher"])
    assert launcher["spec"]["containers"][0]["command"][0] == "mpirun"


def test_mpi_runs_any_program_as_a_user_that_ssh_can_be_run_by() -> None:
    (launcher,) = templates(spec("mpi", program=("all_reduce_perf", "-b", "8"))["mpiReplicaSpecs"]["Launcher"])
    command = launcher["spec"]["containers"][0]["command"]
    assert command[-3:] == ["all_reduce_perf", "-b", "8"]
    assert "-x PATH -x LD_LIBRARY_PATH" in " ".join(command), "what SSH starts knows them by nothing else"
    with pytest.raises(SpecError, match="userId: 0 given, but no SSH server runs as root"):
        spec("mpi", user_id=0)


@pytest.mark.parametrize(
    ("kind", "settings", "problem"),
    [
        (
            "mpi",
            {"program": ("nccl",), "arguments": ("--steps=1",)},
            "arguments: given, but has no effect with",
        ),
        ("ray", {"submit": False, "retries": 1}, "retries: given, but has no effect with submit: false"),
        ("ray", {"submit": False, "time_limit_hours": 1}, "timeLimitHours: given, but has no effect"),
        ("trainer", {"retries": 1}, "retries: given, but has no effect with Trainer v2"),
        ("pytorch", {"launcher": "accelerate", "gpus_per_node": 0}, "launcher: accelerate given, which joins up nodes"),
    ],
)
def test_what_would_have_no_effect_is_refused(kind: str, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError, match=problem):
        job(kind, **settings)


def test_an_argument_is_one_argument_to_ray() -> None:
    assert spec("ray", arguments=("--name", "a; b"))["entrypoint"] == "python /code/train.py --name 'a; b'"


def test_a_secret_goes_before_what_is_derived() -> None:
    secrets = {"STUDY_NAME": SecretKey(secret="study", key="name")}  # noqa: S106
    variables = [each["name"] for each in containers(job("search", secrets=secrets), "search")[0]["env"]]
    assert len(variables) == len(set(variables))
    assert "secretKeyRef" in environment(job("search", secrets=secrets), "search")["STUDY_NAME"]


def test_ray_runs_its_script_and_takes_the_cluster_down_after_it() -> None:
    found = spec("ray", arguments=("--steps=10",))
    assert found["entrypoint"] == "python /code/train.py --steps=10"
    assert found["shutdownAfterJobFinishes"] is True
    assert found["rayClusterSpec"]["rayVersion"] == "2.58.0"
    assert found["rayClusterSpec"]["headGroupSpec"]["rayStartParams"] == {"num-cpus": "0"}
    (group,) = found["rayClusterSpec"]["workerGroupSpecs"]
    assert (group["replicas"], group["minReplicas"], group["maxReplicas"]) == (2, 2, 2)
    assert environment(job("ray"), "ray")["PYTHONPATH"] == "/code"


def test_a_ray_cluster_stays_for_jobs_to_come() -> None:
    plan = job("ray", submit=False)
    assert names_of(plan, "kubernetes:ray.io/v1:RayJob") == []
    assert one(plan, "kubernetes:ray.io/v1:RayCluster").inputs["spec"]["workerGroupSpecs"]


def test_ray_grows_only_outside_a_queue() -> None:
    cluster = spec("ray", queue=None, max_nodes=8)["rayClusterSpec"]
    assert cluster["enableInTreeAutoscaling"] is True
    assert cluster["workerGroupSpecs"][0]["maxReplicas"] == 8
    assert "serviceAccountName" not in cluster["headGroupSpec"]["template"]["spec"]


def test_the_head_of_ray_can_keep_its_state_in_redis() -> None:
    redis = GcsRedis(address="redis.vision:6379", password=SecretKey(secret="redis", key="password"))  # noqa: S106
    options = spec("ray", gcs_redis=redis)["rayClusterSpec"]["gcsFaultToleranceOptions"]
    assert options["redisAddress"] == "redis.vision:6379"
    assert options["redisPassword"]["valueFrom"]["secretKeyRef"]["name"] == "redis"


def test_native_pods_meet_at_the_first_of_them_and_a_lost_node_is_no_failure() -> None:
    plan = job("native")
    assert one(plan, "kubernetes:core/v1:Service").inputs["spec"]["clusterIP"] == "None"
    command = containers(plan, "native")[0]["command"]
    assert {
        "--nnodes=2",
        "--nproc-per-node=4",
        "--rdzv-endpoint=resnet-0.resnet.vision.svc.cluster.local:29500",
    } <= set(command)
    found = made(plan, "native").inputs["spec"]
    assert (found["completions"], found["parallelism"], found["completionMode"]) == (2, 2, "Indexed")
    assert found["podFailurePolicy"]["rules"][0]["action"] == "Ignore"


def test_a_native_job_of_one_node_needs_no_service_and_can_do_without_torchrun() -> None:
    plan = job("native", nodes=1, launcher="python")
    assert names_of(plan, "kubernetes:core/v1:Service") == []
    assert containers(plan, "native")[0]["command"] == ["python", "train.py"]


def test_a_train_job_patches_its_runtime_with_what_the_pods_need() -> None:
    found = spec("trainer")
    assert found["runtimeRef"] == {"name": "torch-distributed"}
    assert (found["trainer"]["numNodes"], found["trainer"]["numProcPerNode"]) == (2, 4)
    assert spec("trainer", runtime="jax")["trainer"]["command"] == ["python", "/code/train.py"]


def test_workers_of_a_search_share_one_study_whose_address_is_secret() -> None:
    found = environment(job("search"), "search")
    assert found["STUDY_NAME"] == "resnet"
    assert found["STUDY_URL"] == {"secretKeyRef": {"name": "study", "key": "url"}}
    assert containers(job("search"), "search")[0]["command"] == ["python", "train.py", "--steps=20"]


def test_workers_of_a_search_can_be_agents_of_a_sweep() -> None:
    plan = job("search", search=WandbSweep(sweep="me/vision/abc123"), trials=21)
    assert containers(plan, "search")[0]["command"] == ["wandb", "agent", "--count=11", "me/vision/abc123"]
    assert environment(plan, "search")["WANDB_API_KEY"] == {"secretKeyRef": {"name": "wandb", "key": "api-key"}}


def test_the_key_of_a_sweep_can_be_another_one() -> None:
    sweep = WandbSweep(api_key=SecretKey(secret="own", key="key"), sweep="me/vision/abc123")  # noqa: S106
    found = environment(job("search", search=sweep, trackers=("weightsAndBiases",)), "search")
    assert found["WANDB_API_KEY"] == {"secretKeyRef": {"name": "own", "key": "key"}}


def test_a_time_limit_and_retries_reach_every_kind() -> None:
    # The training operator counts restarts of each pod, and ends the job when it has counted as many.
    for kind, limit in (("pytorch", 15), ("tensorflow", 15), ("jax", 15), ("mpi", 7)):
        policy = spec(kind, time_limit_hours=2, retries=7)["runPolicy"]
        assert (policy["activeDeadlineSeconds"], policy["backoffLimit"]) == (7200, limit)
        assert spec(kind, retries=0)["runPolicy"]["backoffLimit"] == 0
    for kind in ("ray", "native", "trainer", "search"):
        assert spec(kind, time_limit_hours=2)["activeDeadlineSeconds"] == 7200
