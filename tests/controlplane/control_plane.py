"""A real Kubernetes control plane on this machine, for as long as a test session lasts.

etcd, kube-apiserver, kube-controller-manager and kube-scheduler are the programs that a cluster runs. There are no
machines: kwok plays the kubelet of every node with an annotation for it, as stages.yaml says.
"""

import json
import secrets
import socket
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import urllib3

from controlplane.client import Client
from controlplane.processes import Process

FAKE_NODE = "kwok.x-k8s.io/node"
"""The annotation, with the value `fake`, of a node whose kubelet kwok plays."""

_HOST = "127.0.0.1"
_STAGES = Path(__file__).with_name("stages.yaml")


@contextmanager
def running(programs: Path) -> Generator[Client]:
    """Runs a control plane from a folder with its programs, and gives its administrator's client."""
    with tempfile.TemporaryDirectory(prefix="eksml-control-plane-") as folder, ExitStack() as running_processes:
        plane = _ControlPlane(programs, Path(folder))
        # The others need what the API server makes when it starts.
        for group in ((plane.etcd, plane.server), (plane.controller_manager, plane.scheduler, plane.kwok)):
            started = [start() for start in group]
            for process in started:
                running_processes.callback(process.stop)
            for process in started:
                process.wait_until_healthy(plane.certificate)
        yield plane.client()


class _ControlPlane:
    """What the programs have to know of each other, and how each of them is started."""

    def __init__(self, programs: Path, folder: Path):
        self._programs = programs
        self._folder = folder
        self._etcd_port, self._server_port, self._manager_port, self._scheduler_port, self._kwok_port = _free_ports(5)
        self._token = secrets.token_hex()
        # The API server makes both for itself when it starts; the other programs use them too.
        self.certificate = folder / "apiserver.crt"
        self._key = folder / "apiserver.key"

    def client(self) -> Client:
        connections = urllib3.PoolManager(ca_certs=str(self.certificate))
        headers = urllib3.HTTPHeaderDict({"Authorization": f"Bearer {self._token}"})
        return Client(self._server, connections, headers)

    def etcd(self) -> Process:
        address = f"http://{_HOST}:{self._etcd_port}"
        return self._start(
            "etcd",
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={address}",
            f"--advertise-client-urls={address}",
            f"--listen-peer-urls=http://{_HOST}:0",
            "--unsafe-no-fsync",
            health=f"{address}/readyz",
        )

    def server(self) -> Process:
        tokens = self._folder / "tokens.csv"
        tokens.write_text(f"{self._token},administrator,administrator,system:masters\n", encoding="utf-8")
        return self._start(
            "kube-apiserver",
            f"--etcd-servers=http://{_HOST}:{self._etcd_port}",
            f"--bind-address={_HOST}",
            f"--secure-port={self._server_port}",
            f"--cert-dir={self._folder}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={self._key}",
            f"--service-account-key-file={self._key}",
            "--service-cluster-ip-range=10.100.0.0/16",
            # No Service leads to the server itself: nothing inside this cluster runs.
            f"--advertise-address={_HOST}",
            "--endpoint-reconciler-type=none",
            health=f"{self._server}/readyz",
        )

    def controller_manager(self) -> Process:
        return self._start(
            "kube-controller-manager",
            *self._secure(self._manager_port),
            f"--service-account-private-key-file={self._key}",
            health=f"https://{_HOST}:{self._manager_port}/healthz",
        )

    def scheduler(self) -> Process:
        return self._start(
            "kube-scheduler",
            *self._secure(self._scheduler_port),
            health=f"https://{_HOST}:{self._scheduler_port}/healthz",
        )

    def kwok(self) -> Process:
        return self._start(
            "kwok",
            f"--kubeconfig={self._kubeconfig()}",
            f"--config={_STAGES}",
            f"--manage-nodes-with-annotation-selector={FAKE_NODE}=fake",
            "--node-lease-duration-seconds=40",
            f"--server-address={_HOST}:{self._kwok_port}",
            health=f"http://{_HOST}:{self._kwok_port}/healthz",
        )

    @property
    def _server(self) -> str:
        return f"https://{_HOST}:{self._server_port}"

    def _secure(self, port: int) -> list[str]:
        """What the controller manager and the scheduler have in common."""
        kubeconfig = self._kubeconfig()
        return [
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            f"--bind-address={_HOST}",
            f"--secure-port={port}",
            f"--tls-cert-file={self.certificate}",
            f"--tls-private-key-file={self._key}",
            "--leader-elect=false",
        ]

    def _kubeconfig(self) -> Path:
        cluster = {"server": self._server, "certificate-authority": str(self.certificate)}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": self._token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
        file = self._folder / "kubeconfig"
        file.write_text(json.dumps(content), encoding="utf-8")
        return file

    def _start(self, program: str, *arguments: str, health: str) -> Process:
        return Process([self._programs / program, *arguments], self._folder / f"{program}.log", health)


def _free_ports(count: int) -> list[int]:
    """Ports that nothing listens on, all of them different."""
    with ExitStack() as sockets:
        found = [sockets.enter_context(closing(socket.create_server((_HOST, 0)))) for _ in range(count)]
        return [each.getsockname()[1] for each in found]
