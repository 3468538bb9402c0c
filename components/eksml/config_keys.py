"""The keys that a stack file may hold for this library, beside those of the providers."""

PLATFORM = "eksml:platform"
"""The settings of the platform, laid over its profile."""

PLATFORM_STACK = "eksml:platformStack"
"""The stack of the platform that a workload runs on, as organization/project/stack."""

WORKLOAD = "eksml:workload"
"""The settings of a workload, over those that its program gives."""

KUBECONFIG = "eksml:kubeconfig"

SECRETS = {KUBECONFIG: "kubeconfig of a cluster of kind kubeconfig"}
"""What is set with `pulumi config set --secret`, and what it is. `Platform` takes each by the name after its colon."""
