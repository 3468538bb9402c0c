"""A program on the platform of another stack, offline: it sees what that stack's own program exports, and no more."""

import shutil
from pathlib import Path

import pytest

from command import ROOT, eksml
from eksml.errors import InputError
from eksml.plan import Plan
from eksml.plan.project import find_stack
from eksml.plan.recorder import RecordingError, record
from programs import one

pytestmark = pytest.mark.slow

PLATFORM = "config:\n  eksml:platformStack: organization/eksml/startup\n"


def workload(directory: Path, program: str, stack_file: str = PLATFORM) -> Path:
    """A project with one program, below a copy of the platform's."""
    shutil.copytree(ROOT / "stacks", directory / "stacks")
    shutil.copy(ROOT / "Pulumi.yaml", directory)
    project = directory / "jobs" / "mine"
    project.mkdir(parents=True)
    (project / "Pulumi.yaml").write_text("name: mine\nruntime: python\n")
    (project / "Pulumi.dev.yaml").write_text(stack_file)
    (project / "__main__.py").write_text(program)
    return project


def recorded(project: Path, platform: str | None = None) -> Plan:
    return record(find_stack(str(project)).on_platform(platform))


def test_it_sees_what_the_platforms_own_program_exports(tmp_path: Path) -> None:
    program = "import pulumi, eksml\npulumi.export('bucket', eksml.PlatformReference().model_bucket)\n"
    plan = recorded(workload(tmp_path, program))
    assert plan.platform is not None
    assert plan.exports["bucket"] == plan.platform.exports["modelBucket"]


def test_its_provider_is_that_of_the_platforms_cluster_and_stays_secret(tmp_path: Path) -> None:
    plan = recorded(workload(tmp_path, "import eksml\neksml.PlatformReference()\n"))
    assert one(plan, "pulumi:providers:kubernetes").inputs["kubeconfig"] == "[secret]"
    assert one(plan, "pulumi:pulumi:StackReference").inputs == {"name": "organization/eksml/startup"}


def test_a_missing_export_names_the_platform_and_its_profile(tmp_path: Path) -> None:
    program = "import pulumi, eksml\npulumi.export('x', eksml.PlatformReference().required('fileSystem'))\n"
    with pytest.raises(RecordingError, match=r"organization/eksml/startup \(profile startup\) does not export fileSy"):
        recorded(workload(tmp_path, program))


def test_another_platform_of_the_same_project_can_be_taken(tmp_path: Path) -> None:
    plan = recorded(workload(tmp_path, "import eksml\neksml.PlatformReference()\n"), platform="research")
    assert plan.platform is not None
    assert plan.platform.exports["profile"] == "research"
    assert one(plan, "pulumi:pulumi:StackReference").inputs == {"name": "organization/eksml/research"}


def test_a_platform_that_does_not_exist_is_told(tmp_path: Path) -> None:
    project = workload(tmp_path, "import eksml\neksml.PlatformReference()\n")
    with pytest.raises(InputError, match="there is no stack 'reserch', did you mean 'research'"):
        recorded(project, platform="reserch")
    with pytest.raises(InputError, match="--platform research: research runs on no platform"):
        find_stack("research").on_platform("research")
    (tmp_path / "Pulumi.yaml").unlink()
    with pytest.raises(InputError, match="there is no project 'eksml' in a folder above"):
        recorded(project)


def test_a_program_without_a_platform_says_what_is_missing(tmp_path: Path) -> None:
    project = workload(tmp_path, "import eksml\neksml.PlatformReference()\n", "config: {}\n")
    with pytest.raises(RecordingError, match="eksml:platformStack: missing"):
        recorded(project)


def test_a_kubeconfig_goes_before_a_platform(tmp_path: Path) -> None:
    both = PLATFORM + "  eksml:kubeconfig: {secure: v1:x:y}\n"
    project = workload(tmp_path, "import eksml\neksml.PlatformReference()\n", both)
    plan = recorded(project)
    assert plan.platform is None
    assert not plan.of_type("pulumi:pulumi:StackReference")
    with pytest.raises(InputError, match="--platform research: dev runs on no platform: it has eksml:kubeconfig"):
        recorded(project, platform="research")


def test_it_runs_on_any_cluster_by_its_kubeconfig_too(tmp_path: Path) -> None:
    program = "import eksml\nassert eksml.PlatformReference().model_bucket is None\n"
    plan = recorded(workload(tmp_path, program, "config:\n  eksml:kubeconfig: {secure: v1:x:y}\n"))
    assert one(plan, "pulumi:providers:kubernetes").inputs["kubeconfig"] == "[secret]"


JOB = """
import eksml
platform = eksml.PlatformReference()
code = eksml.ConfigMapCode(files={"train.py": "print()"})
spec = eksml.workload_spec(eksml.NativeTrainingSpec, code=code)
eksml.NativeTraining("resnet", spec, bucket=platform.model_bucket, opts=platform.opts)
"""
SETTINGS = "  eksml:workload: {namespace: ml, pool: gpu, instanceType: g6.2xlarge, gpusPerNode: 1}\n"


def test_a_job_is_judged_together_with_the_platform_that_it_runs_on(tmp_path: Path) -> None:
    project = str(workload(tmp_path, JOB, PLATFORM + SETTINGS))
    assert eksml("check", project).returncode == 0
    lost = eksml("check", project, "--set", "pool=train")
    assert lost.returncode == 1
    assert "workload-has-nodes" in lost.stdout
    assert "job-fits-quota" in eksml("check", project, "--set", "nodes=9").stdout


def test_settings_of_a_job_are_refused_with_their_paths(tmp_path: Path) -> None:
    project = str(workload(tmp_path, JOB, PLATFORM + SETTINGS))
    done = eksml("preview", project, "--set", "gpusPerNode=2", "--set", "node=1")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "eksml: eksml:workload.gpusPerNode: 2 given, g6.2xlarge has 1: take more nodes, or a larger type",
        "eksml: eksml:workload.node: unknown key, did you mean 'nodes'?",
    ]
    assert eksml("preview", str(workload(tmp_path / "x", JOB))).returncode == 2
