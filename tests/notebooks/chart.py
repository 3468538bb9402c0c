"""What JupyterHub's chart makes of its values: the configuration that the hub loads.

Which value becomes which trait is documented for each value in the chart's schema.
"""

from collections.abc import Mapping
from typing import Any

_OF_HUB = {
    "activeServerLimit": "active_server_limit",
    "allowNamedServers": "allow_named_servers",
    "concurrentSpawnLimit": "concurrent_spawn_limit",
}
_OF_SERVERS = {
    "defaultUrl": "default_url",
    "extraAnnotations": "extra_annotations",
    "extraEnv": "environment",
    "profileList": "profile_list",
    "serviceAccountName": "service_account",
    "startTimeout": "start_timeout",
}
# What of the chart's own values makes a difference to a pod.
_DEFAULTS = {
    "allow_privilege_escalation": False,
    "cmd": "jupyterhub-singleuser",
    "fs_gid": 100,
    "image": "quay.io/jupyterhub/k8s-singleuser-sample:4.4.0",
    "namespace": "jupyterhub",
    "pvc_name_template": "claim-{user_server}",
    "storage_pvc_ensure": True,
    "uid": 1000,
}
_HOME = "volume-{user_server}"


def configuration(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Traits by class."""
    hub, servers = values["hub"], values["singleuser"]
    config: dict[str, dict[str, Any]] = {name: dict(traits) for name, traits in hub["config"].items()}
    config["JupyterHub"] |= {trait: hub[value] for value, trait in _OF_HUB.items()}
    config["JupyterHub"] |= {
        "load_roles": [{"name": name, **role} for name, role in hub.get("loadRoles", {}).items()],
        "services": [{"name": name, **service} for name, service in hub.get("services", {}).items()],
    }
    home, claim = servers["storage"], {"persistentVolumeClaim": {"claimName": "{pvc_name}"}}
    config["KubeSpawner"] = {
        **_DEFAULTS,
        **{trait: servers[value] for value, trait in _OF_SERVERS.items()},
        "extra_labels": {"hub.jupyter.org/network-access-hub": "true", **servers["extraLabels"]},
        "storage_access_modes": home["dynamic"]["storageAccessModes"],
        "storage_capacity": home["capacity"],
        "storage_class": home["dynamic"]["storageClass"],
        "storage_extra_labels": home["extraLabels"],
        "volumes": [{"name": _HOME, **claim}, *home["extraVolumes"]],
        "volume_mounts": [{"name": _HOME, "mountPath": "/home/jovyan"}, *home["extraVolumeMounts"]],
        **config["KubeSpawner"],
    }
    return config


def culler(values: Mapping[str, Any], url: str) -> list[str]:
    """The arguments of the service that stops idle servers."""
    cull = values["cull"]
    command = [f"--url={url}", f"--timeout={cull['timeout']}", f"--cull-every={cull['every']}"]
    return [*command, *([f"--max-age={cull['maxAge']}"] if cull["maxAge"] else [])]
