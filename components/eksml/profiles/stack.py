"""What the selected stack says, from Pulumi's own configuration."""

import pulumi
from pulumi.runtime import is_config_secret

from eksml.cluster.kubeconfig_cluster import KubeconfigClusterSpec
from eksml.config_keys import KUBECONFIG, PLATFORM, SECRETS
from eksml.errors import SpecError
from eksml.platform_settings import PlatformSpec
from eksml.profiles import platform_spec


def stack_spec() -> PlatformSpec:
    """The Spec of the selected stack: `eksml:platform`, laid over its profile, in the region of `aws:region`.

    Raises pulumi.RunError with every problem at once, which ends the program without a traceback.
    """
    problems = [
        f"{key}: a secret in plain text, set it with `pulumi config set --secret {key}`"
        for key in SECRETS
        if pulumi.runtime.get_config(key) is not None and not is_config_secret(key)
    ]
    spec = None
    settings = pulumi.Config("eksml").get_object(PLATFORM.rpartition(":")[2])
    if isinstance(settings, dict):
        name = f"{pulumi.get_project()}-{pulumi.get_stack()}"
        try:
            spec = platform_spec(settings, region=pulumi.Config("aws").get("region"), name=name)
        except SpecError as error:
            problems.append(str(error))
    else:
        problems.append(f"{PLATFORM}: missing, must be a mapping with the settings of the platform")
    if spec and isinstance(spec.cluster, KubeconfigClusterSpec) and pulumi.runtime.get_config(KUBECONFIG) is None:
        problems.append(f"{KUBECONFIG}: missing, set it with `pulumi config set --secret {KUBECONFIG}`")
    if problems or spec is None:
        raise pulumi.RunError("\n".join(problems))
    return spec


def stack_secrets() -> dict[str, pulumi.Output[str]]:
    """The secrets of the selected stack as `Platform` takes them: by their keys, without `eksml:`."""
    names = [key.rpartition(":")[2] for key in SECRETS if pulumi.runtime.get_config(key) is not None]
    return {name: pulumi.Config("eksml").require_secret(name) for name in names}
