"""The keys that a stack file may hold for this library, beside those of the providers."""

PLATFORM = "eksml:platform"
"""The settings of the platform, laid over its profile."""

KUBECONFIG = "eksml:kubeconfig"

SECRETS = {KUBECONFIG: "kubeconfig of a cluster of kind kubeconfig"}
"""What is set with `pulumi config set --secret`, and what it is. `Platform` takes each by the name after its colon."""
