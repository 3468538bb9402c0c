"""How findings look to people."""

from io import StringIO

from rich.console import Console

from eksml.preflight.finding import PreflightFinding, Status
from eksml.preflight.text import show_findings

COMMAND = "aws service-quotas request-service-quota-increase --region us-west-2 --service-code ec2 --quota-code L-1"
FINDINGS = [
    PreflightFinding("the quota of [VPCs]", Status.ERROR, "5, all of them used " * 5, COMMAND),
    PreflightFinding("the name of the cluster ml", Status.OK, "the name is free", ""),
]


def shown(width: int) -> list[str]:
    output = StringIO()
    show_findings(FINDINGS, Console(file=output, width=width))
    return output.getvalue().splitlines()


def test_on_a_terminal_lines_fit_and_stay_in_their_column_but_commands_are_whole() -> None:
    lines = shown(80)
    assert lines[0] == "ok         the name of the cluster ml: the name is free"
    assert lines[1].startswith("error      the quota of [VPCs]: 5, all of them used 5,")
    assert lines[2].startswith("           ")
    assert f"           {COMMAND}" in lines
    assert [line for line in lines if len(line) > 80] == [f"           {COMMAND}"]
    assert lines[-1] == "1 error, 0 warning, 0 not known, 1 ok"


def test_in_a_pipe_each_text_is_one_line() -> None:
    assert len(shown(10_000)) == 5
