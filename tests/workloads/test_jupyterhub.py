"""JupyterHub itself, KubeSpawner and OAuthenticator take what the chart is told, and do what is meant by it."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from eksml.catalog import exporters
from notebooks.chart import configuration, culler
from notebooks.hubs import POOLS, SIGN_IN, every_sign_in, hub, settings, values_of
from workloads.scripts import free_port

pytestmark = [
    pytest.mark.workload(module="kubespawner", group="workload-jupyterhub"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

PODS = Path(__file__).parents[1] / "notebooks" / "pods.json"
PASSWORD = secrets.token_hex(16)
# The hub without its proxy, which is a program of its own: it believes that its routes are made.
_PROGRAM = """
import json, os
from jupyterhub.proxy import Proxy
from jupyterhub.spawner import SimpleLocalProcessSpawner

class NoProxy(Proxy):
    should_start = False
    routes = {}
    async def add_route(self, routespec, target, data): self.routes[routespec] = {
        "routespec": routespec, "target": target, "data": data}
    async def delete_route(self, routespec): self.routes.pop(routespec, None)
    async def get_all_routes(self): return self.routes

c = get_config()
for name, traits in json.load(open(os.environ["CONFIGURATION"])).items():
    c[name].update(traits)
c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.spawner_class = SimpleLocalProcessSpawner
"""


def loaded(values: Any) -> Any:
    """The configuration as traitlets has it."""
    return pytest.importorskip("traitlets.config").Config(json.loads(json.dumps(configuration(values))))


def authenticator(sign_in: str) -> Any:
    """The real authenticator, with what the chart is told."""
    from importlib.metadata import entry_points

    config = loaded(every_sign_in()[sign_in])
    (found,) = entry_points(group="jupyterhub.authenticators", name=config.JupyterHub.authenticator_class)
    return known(found.load(), config)


def known(kind: type[Any], config: Any, **arguments: Any) -> Any:
    """An instance, once each trait that it is told of is found to be one."""
    for each in kind.__mro__:
        unknown = set(config.get(each.__name__, {})) - set(getattr(kind, "class_traits", dict)(config=True))
        assert not unknown, f"{each.__name__} has no {unknown}"
    return kind(config=config, **arguments)


@pytest.mark.parametrize("sign_in", SIGN_IN)
def test_every_authenticator_takes_what_it_is_told(sign_in: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = every_sign_in()[sign_in]
    (variable,) = values["hub"]["extraEnv"]
    monkeypatch.setenv(variable, PASSWORD)
    made = authenticator(sign_in)
    classes = {each.__name__ for each in type(made).__mro__}
    assert set(values["hub"]["config"]) <= {"JupyterHub", "KubeSpawner", *classes}
    if sign_in == "dummy":
        assert (made.allow_all, made.user_password) == (True, None)
    else:
        assert made.client_secret == PASSWORD
        assert made.oauth_callback_url == "https://jupyter.example.com/hub/oauth_callback"


def test_a_trait_that_does_not_exist_would_be_seen() -> None:
    spawner, traitlets = pytest.importorskip("kubespawner"), pytest.importorskip("traitlets.config")
    with pytest.raises(AssertionError, match="KubeSpawner has no"):
        known(spawner.KubeSpawner, traitlets.Config({"KubeSpawner": {"memory_limit": "1G"}}), _mock=True)


def test_the_hub_itself_takes_what_it_is_told() -> None:
    hub_values = values_of(hub(settings(activeServers=7), host="a.example.com", has_prometheus=True))
    app = known(pytest.importorskip("jupyterhub.app").JupyterHub, loaded(hub_values))
    assert app.active_server_limit == app.concurrent_spawn_limit == 7
    assert app.allow_named_servers is False
    assert app.public_url == "https://a.example.com/"
    assert app.load_roles == [{"name": "prometheus", "scopes": ["read:metrics"], "services": ["prometheus"]}]


@pytest.mark.parametrize(
    ("sign_in", "who", "claims", "is_let_in"),
    [
        ("newUserPool", "grace", {}, True),
        ("groupsOfNewUserPool", "grace", {"cognito:groups": ["research"]}, True),
        ("groupsOfNewUserPool", "grace", {"cognito:groups": ["sales"]}, False),
        ("groupsOfNewUserPool", "grace", {}, False),
        ("groupsOfNewUserPool", "ada", {}, True),
        ("existingUserPool", "grace", {"cognito:groups": ["research", "sales"]}, True),
        ("existingUserPool", "grace", {}, False),
        ("openIdConnect", "linus", {"groups": ["teaching"]}, True),
        ("openIdConnect", "linus", {"groups": []}, False),
        ("openIdConnect", "grace", {}, True),
    ],
)
def test_who_is_let_in(sign_in: str, who: str, claims: dict[str, Any], is_let_in: bool) -> None:
    made = authenticator(sign_in)
    user = {made.username_claim: who, **claims}
    assert made.user_info_to_username(user) == who
    state = {made.user_auth_state_key: user}

    async def judged() -> bool:
        groups = await made.get_user_groups(state) if made.manage_groups else None
        model = {"name": who, "admin": who in made.admin_users, "auth_state": state}
        return bool(await made.check_allowed(who, {**model, "groups": list(groups)} if groups is not None else model))

    assert asyncio.run(judged()) is is_let_in


def pods() -> dict[str, Any]:
    """The pod, and the claim of its home, that KubeSpawner makes for each profile."""
    values = values_of(hub(settings(pools=list(POOLS), team="research"), environment={"MODEL_BUCKET": "lab-models"}))
    return {name: asyncio.run(_pod(values, name)) for name in POOLS}


async def _pod(values: Any, profile: str) -> dict[str, Any]:
    spawner = known(pytest.importorskip("kubespawner").KubeSpawner, loaded(values), _mock=True)
    spawner.user_options = {"profile": profile}
    await spawner.load_user_options()
    async with pytest.importorskip("kubernetes_asyncio.client").ApiClient() as client:
        pod, claim = await spawner.get_pod_manifest(), spawner.get_pvc_manifest()
        made = {"pod": client.sanitize_for_serialization(pod), "claim": client.sanitize_for_serialization(claim)}
    (container,) = made["pod"]["spec"]["containers"]
    # What each server is told of itself.
    container["env"] = [each for each in container["env"] if not each["name"].startswith(("JUPYTERHUB_", "JPY_"))]
    return made


def test_the_pods_of_every_profile_are_those_that_the_control_plane_judges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # KubeSpawner wants to know a cluster, and asks it nothing here.
    nowhere = {"name": "nowhere", "cluster": {"server": "https://127.0.0.1:1"}, "user": {}}
    context = {"name": "nowhere", "context": {"cluster": "nowhere", "user": "nowhere"}}
    kubeconfig = {"clusters": [nowhere], "users": [nowhere], "contexts": [context], "current-context": "nowhere"}
    (tmp_path / "config").write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **kubeconfig}))
    monkeypatch.setattr("kubernetes_asyncio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config"))
    made = json.dumps(pods(), indent=1, sort_keys=True) + "\n"
    if os.environ.get("EKSML_WRITE_PODS"):
        PODS.write_text(made)
    assert made == PODS.read_text()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real hub, with what the chart is told of one password for everybody."""
    folder, port = tmp_path_factory.mktemp("hub"), free_port()
    url = f"http://127.0.0.1:{port}"
    values = values_of(hub(settings(authentication=SIGN_IN["dummy"], idleMinutes=5), has_prometheus=True))
    config = configuration(values)
    config["JupyterHub"] |= {"hub_bind_url": url, "db_url": f"sqlite:///{folder}/hub.sqlite"}
    config["JupyterHub"]["services"][0]["api_token"] = PASSWORD
    config["JupyterHub"]["services"].append(
        {
            "name": "culler",
            "command": [sys.executable, "-m", "jupyterhub_idle_culler", *culler(values, f"{url}/hub/api")],
        }
    )
    config["JupyterHub"]["load_roles"].append(
        {"name": "culler", "services": ["culler"], "scopes": ["list:users", "read:users:activity", "read:servers"]}
    )
    (folder / "configuration.json").write_text(json.dumps(config))
    (folder / "program.py").write_text("\n".join([_PROGRAM, *values["hub"]["extraConfig"].values()]))
    environment = {**os.environ, "CONFIGURATION": str(folder / "configuration.json"), "JUPYTERHUB_PASSWORD": PASSWORD}
    command = [sys.executable, "-m", "jupyterhub", "--config", "program.py"]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT) as running,
    ):
        deadline = time.monotonic() + 60
        while "JupyterHub is now running" not in (folder / "log").read_text():
            assert running.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.2)
        yield url
        found = (folder / "log").read_text()
        running.terminate()
    assert "Traceback" not in found, found
    # What traitlets says of a trait that no class has.
    assert "not recognized" not in found, found


def sign_in(url: str, name: str, password: str) -> urllib3.BaseHTTPResponse:
    page = urllib3.request("GET", f"{url}/hub/login")
    cookie = next(each for each in page.headers.getlist("set-cookie") if each.startswith("_xsrf="))
    token = cookie.partition("=")[2].partition(";")[0]
    body = urlencode({"username": name, "password": password, "_xsrf": token})
    headers = {"Cookie": f"_xsrf={token}", "Content-Type": "application/x-www-form-urlencoded"}
    return urllib3.request("POST", f"{url}/hub/login", body=body, headers=headers, redirect=False)


def test_a_person_signs_in_to_a_running_hub(address: str) -> None:
    assert sign_in(address, "grace", PASSWORD).status == 302
    assert sign_in(address, "grace", "guessed").status == 403


def test_metrics_are_shown_for_the_token_of_prometheus_only(address: str) -> None:
    path = f"{address}/hub/metrics"
    assert urllib3.request("GET", path).status == 403
    answer = urllib3.request("GET", path, headers={"Authorization": f"Bearer {PASSWORD}"})
    assert answer.status == 200
    shown = {
        line.split()[2]: line.split()[3] for line in answer.data.decode().splitlines() if line.startswith("# TYPE")
    }
    catalog = exporters()["jupyterHub"].metrics
    assert {name: metric.type for name, metric in catalog.items()}.items() <= shown.items()
