"""The keys that a stack file may hold for this library, beside those of the providers."""

PLATFORM = "eksml:platform"
"""The settings of the platform, laid over its profile."""

PLATFORM_STACK = "eksml:platformStack"
"""The stack of the platform that a workload runs on, as organization/project/stack."""

WORKLOAD = "eksml:workload"
"""The settings of a workload, over those that its program gives."""

KUBECONFIG = "eksml:kubeconfig"

SECRETS = {
    KUBECONFIG: "kubeconfig of a cluster of kind kubeconfig",
    "eksml:grafanaClientSecret": "secret of the OAuth client by which people sign in to Grafana",
    "eksml:jupyterHubClientSecret": "secret of the OAuth client by which people sign in to JupyterHub",
    "eksml:jupyterHubPassword": "password of JupyterHub with dummy authentication",
    "eksml:mlflowAdminPassword": "password of MLflow's user admin, as `openssl rand -hex 24` makes one",
    "eksml:mlflowClientSecret": "secret of the OAuth client by which people sign in to MLflow",
    "eksml:pagerDutyRoutingKey": "integration key of the PagerDuty service that alerts go to",
    "eksml:slackWebhookUrl": "URL of the incoming webhook of Slack that alerts go to",
    "eksml:smtpPassword": "password of the mail server that sends alerts",
    "eksml:wandbApiKey": "API key of Weights & Biases",
}
"""What is set with `pulumi config set --secret`, and what it is. `Platform` takes each by the name after its colon."""


def described(*names: str) -> dict[str, str]:
    """Secrets by their names without `eksml:`, and what each is."""
    return {name: SECRETS[f"eksml:{name}"] for name in names}
