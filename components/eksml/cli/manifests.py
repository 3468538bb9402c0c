"""`eksml manifests`: the Kubernetes objects of a stack as YAML."""

import json

import typer

from eksml.cli.arguments import AsJson, PlatformName, Settings, StackName, Target, plan_of


def manifests(
    target: Target = None,
    stack: StackName = None,
    settings: Settings = None,
    platform: PlatformName = None,
    as_json: AsJson = False,
) -> None:
    """Print the Kubernetes objects as one YAML.

    These are the objects that the program itself makes. Helm releases and overlays of kustomize are named in comments:
    their objects are rendered on `pulumi up`.

    \b
    Examples:
      eksml manifests research
      eksml manifests production | kubectl apply --dry-run=server -f -
    """
    from eksml.plan.manifests import manifests as as_yaml
    from eksml.plan.manifests import objects

    plan = plan_of(target, stack, settings, platform)
    if as_json:
        typer.echo(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects(plan)}, indent=2))
    else:
        typer.echo(as_yaml(plan), nl=False)
