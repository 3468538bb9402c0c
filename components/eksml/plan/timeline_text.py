"""A Timeline for people: a bar for each component at the top, and the longest chain."""

from rich.console import Console
from rich.markup import escape

from eksml import catalog
from eksml.clock import clock
from eksml.plan.timeline import Stage, Timeline
from eksml.plan.tree import short_type

_BAR = 40


def show_timeline(timeline: Timeline, console: Console) -> None:
    """Prints a Timeline."""
    total, guessed = timeline.seconds, timeline.estimated_seconds
    console.print(
        f"[bold]Stack {escape(timeline.stack)}: {_about(total)}[/] for a first `pulumi up`, of which {_about(guessed)} "
        "are estimates (~)\n"
    )
    width = max((len(_label(stage)) for stage in timeline.stages), default=0)
    for stage in timeline.stages:
        console.print(
            f"  {escape(_label(stage).ljust(width))}  [cyan]{_bar(stage, total)}[/]  "
            f"{clock(stage.start)} to {clock(stage.end)}"
        )
    console.print("\n[bold]The longest chain[/]: seconds, when it is done, what it is")
    for step in timeline.chain:
        seconds = f"{'~' if step.is_estimate else ''}{step.seconds:.0f}"
        what = f"[bold]{escape(step.name)}[/]  [dim]{escape(short_type(step.type))}[/]"
        console.print(f"  {seconds:>5}  {clock(step.end):>5}  {what}")
    for note in _notes(timeline):
        console.print(f"[yellow]Note[/]: {escape(note)}")


def _label(stage: Stage) -> str:
    return f"{stage.name}  {short_type(stage.type)}"


def _bar(stage: Stage, total: float) -> str:
    first = min(round(stage.start / total * _BAR), _BAR - 1) if total else 0
    length = max(round(stage.end / total * _BAR) - first, 1) if total else 1
    return ("·" * first + "█" * length).ljust(_BAR, "·")


def _about(seconds: float) -> str:
    return f"about {seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def _notes(timeline: Timeline) -> list[str]:
    types = {step.type for step in timeline.steps}
    notes = []
    if "eks:index:Cluster" in types:
        notes.append(f"The cluster counts as its control plane. {catalog.durations()['eks:index:Cluster'].note}")
    node = catalog.karpenter_node().create_seconds.median
    if "kubernetes:karpenter.sh/v1:NodePool" in types and node is not None:
        notes.append(
            f"Karpenter's nodes are not in it: they come with the pods that need them, {_about(node)} after a pod."
        )
    return notes
