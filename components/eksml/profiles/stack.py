"""The Spec of the selected stack, from Pulumi's own configuration."""

import pulumi
from pulumi.runtime import is_config_secret

from eksml.cluster.kubeconfig_cluster import KubeconfigClusterSpec
from eksml.errors import SpecError
from eksml.platform import PlatformSpec
from eksml.profiles import platform_spec

KUBECONFIG = "kubeconfig"


def stack_spec() -> PlatformSpec:
    """The Spec of the selected stack: `eksml:platform`, laid over its profile, in the region of `aws:region`.

    Raises pulumi.RunError with every problem at once, which ends the program without a traceback.
    """
    config = pulumi.Config("eksml")
    if config.get(KUBECONFIG) is not None and not is_config_secret(f"eksml:{KUBECONFIG}"):
        raise pulumi.RunError(f"eksml:{KUBECONFIG}: a secret in plain text, set it with `pulumi config set --secret`")
    name = f"{pulumi.get_project()}-{pulumi.get_stack()}"
    try:
        settings = config.get_object("platform")
        if not isinstance(settings, dict):
            raise pulumi.RunError("eksml:platform: missing, must be a mapping with the settings of the platform")
        spec = platform_spec(settings, region=pulumi.Config("aws").require("region"), name=name)
    except SpecError as error:
        raise pulumi.RunError(str(error)) from None
    if isinstance(spec.cluster, KubeconfigClusterSpec) and config.get(KUBECONFIG) is None:
        raise pulumi.RunError(
            f"eksml:{KUBECONFIG}: missing, set it with `pulumi config set --secret eksml:{KUBECONFIG}`"
        )
    return spec
