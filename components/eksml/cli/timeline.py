"""`eksml timeline`: the order of a deployment, and how long it takes."""

import json

import typer

from eksml.cli.arguments import AsJson, PlatformName, Settings, StackName, Target, plan_of


def timeline(
    target: Target = None,
    stack: StackName = None,
    settings: Settings = None,
    platform: PlatformName = None,
    as_json: AsJson = False,
) -> None:
    """Show how long a first `pulumi up` takes, and which chain of resources it waits for.

    The durations are those of published logs, where there are some; the others are estimates and marked with ~.
    Nothing limits how much is made at once.

    \b
    Examples:
      eksml timeline research
      eksml timeline production --json | jq .seconds
    """
    from eksml.cli.output import answer
    from eksml.plan.timeline import timeline as in_time
    from eksml.plan.timeline_json import timeline_json
    from eksml.plan.timeline_text import show_timeline

    found = in_time(plan_of(target, stack, settings, platform))
    if as_json:
        typer.echo(json.dumps(timeline_json(found), indent=2, ensure_ascii=False))
    else:
        show_timeline(found, answer())
