"""MLflow's own server, with what the component renders, on a real PostgreSQL and a server that speaks S3.

Substituted are what only a cluster has: hosts and ports, the places of volumes, and what AWS puts into them.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from eksml.plan import Plan
from parts import need_program
from programs import one
from tracking.mlflow_program import ADMIN_PASSWORD, OF_ADMINISTRATOR, mlflow
from workloads.model_servers import SERVERS
from workloads.postgresql import postgresql
from workloads.scripts import free_port, lose
from workloads.secrets_api import TOKEN, secrets_api

# Its packages do not go together with the project's: it has an environment of its own.
pytestmark = pytest.mark.workload(module="moto", group="test")

BUCKET = "lab-models"
# As on RDS: one who is superuser, whom nobody is, and one who may make roles and owns the database.
SUPERUSER, USER, DATABASE = "rdsadmin", "administrator", "mlflow"
# With what an address, a password file or a service file would take for their own.
PASSWORD, ROTATED = r"p:a\s%2F=#s@1", r"#r:o\t%2F;[a]@2"
SECONDS_TO_START = 180
DEPLOYMENT, JOB = "kubernetes:apps/v1:Deployment", "kubernetes:batch/v1:Job"
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=10"


class Lab:
    """A database, a bucket, and the directories that are the volumes of the pods."""

    def __init__(self, folder: Path, database_port: int, s3: str, secrets: dict[str, dict[str, str]], api: str):
        self.folder, self._database_port, self.s3 = folder, database_port, s3
        self.secrets, self._api = secrets, api
        self.plan: Plan = mlflow(database=OF_ADMINISTRATOR)
        self.password = PASSWORD
        self.port, self.metrics_port = free_port(), free_port()
        self.server: subprocess.Popen[bytes] | None = None
        scripts = one(self.plan, "kubernetes:core/v1:ConfigMap").inputs["data"]
        certificates = (folder / "certificate.pem").read_text()
        self.write("/scripts", {**scripts, "rds-certificates.pem": certificates})
        self.write("/secrets/mlflow-admin", {"password": ADMIN_PASSWORD})
        self.write("/var/run/secrets/kubernetes.io/serviceaccount", {"ca.crt": certificates, "token": TOKEN})

    def write(self, directory: str, files: Mapping[str, str]) -> None:
        """Fills a volume."""
        place = self.place(directory)
        place.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (place / name).write_text(text)

    def place(self, path: str) -> Path:
        """Where a path of a container is on this machine."""
        return self.folder / "root" / path.lstrip("/")

    @property
    def vision(self) -> tuple[str, str]:
        """The user of a team."""
        secret = self.secrets["vision/mlflow"]
        return secret["username"], secret["password"]

    @cached_property
    def python(self) -> str:
        """Python with what the image has."""
        environment = self.folder / "environment"
        requirements = str(SERVERS / "mlflow.txt")
        for command in (
            ["uv", "venv", "--quiet", "--python", sys.executable, str(environment)],
            ["uv", "pip", "install", "--quiet", "--python", str(environment), "--requirements", requirements],
        ):
            # Not in the project's folder, whose constraints are others.
            subprocess.run(command, cwd=self.folder, check=True)
        return str(environment / "bin" / "python")

    def container(self, kind: str) -> Any:
        (only,) = one(self.plan, kind).inputs["spec"]["template"]["spec"]["containers"]
        return only

    def started(self, kind: str, command: list[str]) -> tuple[list[str], dict[str, str]]:
        """A command of a container and its environment, as they are on this machine."""
        container = self.container(kind)
        for mount in container["volumeMounts"]:
            self.place(mount["mountPath"]).mkdir(parents=True, exist_ok=True)
        substitutes = {
            "DATABASE_HOST": "localhost",
            "DATABASE_PORT": str(self._database_port),
            "DATABASE_NAME": DATABASE,
            "PORT": str(self.port),
            "METRICS_PORT": str(self.metrics_port),
            "KUBERNETES_API": self._api,
        }
        rendered = {each["name"]: self._substituted(each["value"]) for each in container["env"]}
        assert {"DATABASE_HOST", "DATABASE_PORT", "DATABASE_NAME"} <= set(rendered)
        outside = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(self.place("/tmp")),  # noqa: S108
            "MLFLOW_S3_ENDPOINT_URL": self.s3,
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
        }
        environment = {**rendered, **{name: substitutes[name] for name in substitutes if name in rendered}, **outside}
        words = [str(self.port) if word == "5000" else self._substituted(word) for word in command]
        return [self.python if word == "python" else word for word in words], environment

    def _substituted(self, text: str) -> str:
        mounts = "|".join(("/scripts", "/secrets", "/run/mlflow", "/tmp", "/var/run/secrets"))  # noqa: S108
        return re.sub(rf"^({mounts})(?=/|$)", lambda found: str(self.place(found[1])), text)

    def migrate(self) -> str:
        """Runs the Job; gives what it said."""
        # What the driver mounts of the administrator's secret.
        whole = json.dumps({"username": USER, "password": self.password})
        self.write("/secrets/database", {"username": USER, "password": self.password, "secret": whole})
        command, environment = self.started(JOB, self.container(JOB)["command"])
        run = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr[-5000:]
        # What the kubelet mounts in pods of servers.
        self.write("/secrets/database", self.secrets["mlflow/mlflow-database"])
        self.write("/secrets/mlflow-sign-in", self.secrets["mlflow/mlflow-sign-in"])
        return run.stdout

    def start(self) -> None:
        """Starts the server, as the kubelet does, and waits until it is ready."""
        container = self.container(DEPLOYMENT)
        command, environment = self.started(DEPLOYMENT, [*container["command"], *container["args"]])
        log = self.folder / "log"
        with log.open("wb") as written:
            self.server = subprocess.Popen(command, env=environment, cwd="/", stdout=written, stderr=written)
        path = container["readinessProbe"]["httpGet"]["path"]
        deadline = time.monotonic() + SECONDS_TO_START
        while self.ask(path)[0] != 200:
            assert self.server.poll() is None, log.read_text()[-5000:]
            assert time.monotonic() < deadline, log.read_text()[-5000:]
            time.sleep(0.3)

    def stop(self) -> int:
        """Ends the server as the kubelet does; gives its exit code."""
        assert self.server
        self.server.send_signal(signal.SIGTERM)
        return self.server.wait(60)

    def wait_until_let_in(self, user: tuple[str, str]) -> None:
        """Waits until it answers a user."""
        deadline = time.monotonic() + 30
        while (status := self.ask(SEARCH, user)[0]) != 200:
            assert time.monotonic() < deadline, status
            time.sleep(0.5)

    def ask(
        self, path: str, user: tuple[str, str] | None = None, *, port: int | None = None, host: str | None = None
    ) -> tuple[int, str]:
        """The status and the text of an answer; 0 if there is none."""
        request = urllib.request.Request(f"http://localhost:{port or self.port}{path}")
        if user:
            request.add_header("Authorization", f"Basic {b64encode(':'.join(user).encode()).decode()}")
        if host:
            request.add_header("Host", host)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def client(self, *actions: str, **variables: str) -> Any:
        """What a job of the team finds, with the variables that the platform gives it."""
        environment = {
            "PATH": os.environ["PATH"],
            "MLFLOW_TRACKING_URI": f"http://localhost:{self.port}",
            "MLFLOW_TRACKING_USERNAME": self.vision[0],
            "MLFLOW_TRACKING_PASSWORD": self.vision[1],
            "MLFLOW_DISABLE_TELEMETRY": "true",
            **variables,
        }
        command = [self.python, str(SERVERS / "mlflow_client.py"), *actions]
        run = subprocess.run(command, env=environment, cwd=self.folder, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr[-5000:]
        return json.loads(run.stdout.splitlines()[-1])

    def previous(self, *arguments: str) -> str:
        """Runs the previous minor version of MLflow on the database."""
        options = f"sslmode=require&sslrootcert={self.folder / 'certificate.pem'}"
        address = f"postgresql+psycopg2://{USER}@localhost:{self._database_port}/{DATABASE}?{options}"
        command = ["uv", "run", "--quiet", "--no-project", "--isolated", "--python", sys.executable]
        command += ["--with-requirements", str(SERVERS / "mlflow_previous.txt"), "mlflow", *arguments]
        environment = {**os.environ, "PGPASSWORD": PASSWORD, "MLFLOW_TRACKING_URI": address}
        run = subprocess.run(command, env=environment, cwd=self.folder, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr[-5000:]
        return run.stdout

    def sql(self, statement: str, *, database: str = DATABASE, role: str = SUPERUSER) -> str:
        """What the database answers its superuser, or one who has become another role."""
        psql = need_program("psql", "postgresql-client")
        address = f"host=localhost port={self._database_port} dbname={database} user={SUPERUSER}"
        command = [psql, f"{address} options='-c role={role}'", "--tuples-only", "--no-align", "--command", statement]
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return (run.stdout or run.stderr).strip()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A database with the schema of the previous version and an experiment in it, a bucket, and no server yet."""
    folder = tmp_path_factory.mktemp("mlflow")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    make = [need_program("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    make += [
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-out",
        str(certificate),
        "-keyout",
        str(key),
    ]
    subprocess.run(make, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    address = "http://{}:{}".format(*moto.get_host_and_port())
    boto3.client("s3", **s3_settings(address)).create_bucket(Bucket=BUCKET)
    names = ("mlflow/mlflow-database", "mlflow/mlflow-sign-in", "vision/mlflow", "speech/mlflow")
    secrets: dict[str, dict[str, str]] = {name: {} for name in names}
    with postgresql(SUPERUSER, password=PASSWORD, certificate=both) as port, secrets_api(secrets, both) as api:
        made = Lab(folder, port, address, secrets, api)
        made.sql(f"create role {USER} login createdb createrole password '{PASSWORD}'", database="postgres")
        made.sql(f"create database {DATABASE} owner {USER}", database="postgres")
        made.previous("experiments", "create", "--experiment-name", "before")
        yield made
        if made.server:
            lose([made.server])
            made.server.wait()
    moto.stop()


def s3_settings(address: str) -> dict[str, Any]:
    keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
    return {"endpoint_url": address, "region_name": "us-east-1", **keys}


@pytest.fixture(scope="module")
def running(lab: Lab) -> Lab:
    """The same after the migration, with a server."""
    before = lab.sql("select version_num from alembic_version")
    # As a version before made it, which anybody who knew the administrator's could.
    lab.secrets["vision/mlflow"]["password"] = "0" * 64
    lab.migrate()
    assert lab.sql("select version_num from alembic_version") != before, "no other schema: take an older version"
    lab.start()
    return lab


def test_the_job_upgrades_the_schema_of_the_previous_version_and_makes_the_users(running: Lab) -> None:
    assert running.sql("select name from experiments order by name") == "Default\nbefore"
    assert running.sql("select username, is_admin from users order by username") == "admin|t\nvision|f"
    made = [*running.secrets["mlflow/mlflow-database"].values(), *running.secrets["mlflow/mlflow-sign-in"].values()]
    passwords = {value for value in (running.vision[1], *made) if re.fullmatch("[0-9a-f]{48}", value)}
    assert len(passwords) == 3, "of the team, of the role, and what signs sessions"


def test_the_server_signs_in_by_a_role_that_reads_and_writes_rows_only(running: Lab) -> None:
    connections = "select distinct usename from pg_stat_activity where usename <> current_user"
    assert running.sql(connections) == "mlflow"
    rights = "select rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls from pg_roles"
    assert running.sql(f"{rights} where rolname = 'mlflow'") == "f|f|f|f|f"
    for statement in (
        "create database other",
        "create role other",
        "create table other (id int)",
        "drop table experiments",
        "alter table users add other int",
        "truncate experiments",
    ):
        assert re.search("permission denied|must be owner", running.sql(statement, role="mlflow")), statement


def test_a_run_an_artifact_and_a_registered_model_are_found_again(running: Lab) -> None:
    found = running.client("write", "read")
    assert found["experiments"] == ["Default", "before", "vision"]
    assert found["params"] == {"learningRate": "0.1"}
    assert found["metrics"] == {"loss": 0.25}
    assert found["bytes"] == 256 * 4096


def test_artifacts_go_through_the_server_into_its_folder_of_the_bucket(running: Lab) -> None:
    listed = boto3.client("s3", **s3_settings(running.s3)).list_objects_v2(Bucket=BUCKET)
    assert [each["Key"].partition("/")[0] for each in listed["Contents"]] == ["mlflow"]
    location = running.sql("select artifact_location from experiments where name = 'vision'")
    assert location.startswith("mlflow-artifacts:/"), "no client gets an address of the bucket"


def test_only_users_get_in_and_only_by_names_that_are_its_own(running: Lab) -> None:
    assert running.ask(SEARCH, running.vision)[0] == 200
    assert running.ask(SEARCH, ("admin", ADMIN_PASSWORD))[0] == 200
    assert running.ask(SEARCH, ("vision", "wrong"))[0] == 401
    assert running.ask(SEARCH, ("vision", "0" * 64))[0] == 401
    assert running.ask(SEARCH)[0] == 401
    assert running.ask(SEARCH, running.vision, host="mlflow.mlflow.svc:5000")[0] == 200
    assert running.ask(SEARCH, running.vision, host="evil.example.com")[0] == 403


def test_its_metrics_are_on_a_port_of_their_own(running: Lab) -> None:
    from eksml.catalog import exporters

    assert running.ask("/metrics", running.vision)[0] == 403
    status, text = running.ask("/metrics", port=running.metrics_port)
    assert status == 200
    exported = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    assert set(exporters()["mlflow"].metrics) <= exported
    assert re.search(r'^mlflow_http_request_total\{method="GET",status="200"\} [1-9]', text, re.MULTILINE)


def test_no_argument_or_variable_of_its_processes_has_the_password(running: Lab) -> None:
    assert running.server
    seen = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(running.folder / "root").encode() in told:
            seen += 1
            for password in (PASSWORD, running.secrets["mlflow/mlflow-database"]["password"], running.vision[1]):
                assert password.encode() not in told
    assert seen >= 3


def test_a_rotation_of_the_administrators_password_is_none_of_the_servers(running: Lab) -> None:
    running.sql(f"alter user {USER} password '{ROTATED}'")
    running.password = ROTATED
    _drop_connections(running)
    assert running.ask(SEARCH, running.vision)[0] == 200


def test_a_database_user_that_has_changed_is_used_from_the_next_connection_on_without_a_restart(running: Lab) -> None:
    running.sql(f"create role mlflow_clone login password '{ROTATED}' in role mlflow")
    running.write("/secrets/database", {"username": "mlflow_clone", "password": ROTATED})
    running.sql("alter role mlflow password null")
    _drop_connections(running)
    running.wait_until_let_in(running.vision)
    # Through the server too, instead of by an address of the bucket that the server signs.
    found = running.client("read", MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD="false")
    assert (found["version"], found["bytes"]) == ("1", 256 * 4096)


def test_a_team_that_is_gone_is_locked_out_and_the_others_keep_what_they_have(running: Lab) -> None:
    before = {name: dict(secret) for name, secret in running.secrets.items()}
    running.plan = mlflow(database=OF_ADMINISTRATOR, arguments={"teams": ["speech", "without"]})
    said = running.migrate()
    assert "locked the user vision out" in said
    assert "no Secret mlflow" in said, "a team that deletes its own is no reason to stop"
    assert running.secrets["mlflow/mlflow-database"] == before["mlflow/mlflow-database"]
    users = {"users": "speech without"}
    assert running.secrets["mlflow/mlflow-sign-in"] == before["mlflow/mlflow-sign-in"] | users
    assert running.ask(SEARCH, running.vision)[0] == 401
    assert running.ask(SEARCH, ("speech", running.secrets["speech/mlflow"]["password"]))[0] == 200
    assert running.stop() == 0


def _drop_connections(lab: Lab) -> None:
    """Ends the connections of servers, which then make new ones."""
    lab.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename ~ 'mlflow'")
