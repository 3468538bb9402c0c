"""What a person needs before `pulumi up`, and where everything is after it: from what a platform exports."""

from rich.console import Console
from rich.markup import escape

from eksml.config_keys import SECRETS
from eksml.plan.model import Plan

ACCESS = "access"
"""The export with the services that people use, by name."""
MISSING_SECRETS = "missingSecrets"
"""The export, in a preview, with the keys of the secrets that are not set."""


def show_access(plan: Plan, console: Console) -> None:
    """Prints the secrets that are missing, and the address of each service with what signing in takes."""
    if missing := plan.exports.get(MISSING_SECRETS):
        console.print("\n[bold]Before pulumi up[/]  (it ends without them, and has created nothing)")
        for key in missing:
            meaning = SECRETS.get(key, "secret")
            console.print(f"  pulumi config set --secret {escape(key)}  [dim]the {escape(meaning)}[/]")
    if services := plan.exports.get(ACCESS):
        console.print("\n[bold]After pulumi up[/]")
        for service in services.values():
            console.print(f"  {escape(service['title'])}: [cyan]{escape(service['url'])}[/]")
            for detail in filter(None, (service.get("command"), service["signIn"])):
                console.print(f"    {escape(detail)}")
