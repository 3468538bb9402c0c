"""`eksml manifests`: the Kubernetes objects of a stack as YAML."""

import typer

from eksml.cli.arguments import Settings, StackName, Target, plan_of


def manifests(target: Target = None, stack: StackName = None, settings: Settings = None) -> None:
    """Print the Kubernetes objects that the program itself makes, as one multi-document YAML.

    Helm releases are named in comments: Helm renders their objects on `pulumi up`.

    Examples:
        eksml manifests research

        eksml manifests production | kubectl apply --dry-run=server -f -
    """
    from eksml.plan.manifests import manifests as as_yaml

    typer.echo(as_yaml(plan_of(target, stack, settings)), nl=False)
