"""``lamia-gql resubmit``."""

from __future__ import annotations

import click

from lamia_gql.commands.failures import client_errors, fail
from lamia_gql.commands.options import URL
from lamia_gql.commands.task_commands import JOB_STATES

STATES = (*JOB_STATES, "LOST")


def _parse_states(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> list[str]:
    """Return the states in options like ``--state failed,lost``, in upper case."""
    states = [text.strip().upper() for value in values for text in value.split(",")]
    for state in states:
        if state not in STATES:
            raise click.BadParameter(f"{state!r} is not one of {', '.join(STATES)}.")
    return states


@click.command()
@click.argument("task")
@click.argument("process", required=False)
@click.option(
    "--state",
    "states",
    multiple=True,
    default=["failed"],
    show_default=True,
    callback=_parse_states,
    metavar="STATE[,STATE]",
    help="Which jobs: failed, terminated, lost (running, and silent for long) … Repeatable.",
)
@click.option(
    "--exit-code", "exit_codes", type=int, multiple=True, help="Only those with it. Repeatable."
)
@click.option("--host", "hostnames", multiple=True, help="Only those on this host. Repeatable.")
@click.option("--message", help="Only those whose message contains it; case is ignored.")
@click.option(
    "--as",
    "form",
    type=click.Choice(["slurm", "condor", "lsf", "grid-engine", "list", "json"]),
    default="list",
    show_default=True,
    help="The form: for a batch system, an index on each line, or JSON.",
)
@URL
def resubmit(
    task: str,
    process: str | None,
    states: list[str],
    exit_codes: tuple[int, ...],
    hostnames: tuple[str, ...],
    message: str | None,
    form: str,
    url: str,
) -> None:
    """Print what to submit to run the failed jobs of TASK again.

    Without PROCESS, that is printed of all processes of TASK, each below a line with its name.
    PROCESS may be a pattern with `*` and `?`. Exits with 1 if no job is in these states.
    """
    from lamia_gql.commands.resubmission import JobChoice, find_resubmissions, format_lines

    choice = JobChoice(states, exit_codes, hostnames, message)
    with client_errors():
        found = find_resubmissions(url, task, process, choice)
    if not found:
        owner = f"“{process}” of “{task}”" if process else f"“{task}”"
        is_choosy = exit_codes or hostnames or message
        rest = " and has what was asked for" if is_choosy else ""
        fail(1, f"Nothing to submit: no job of {owner} is {' or '.join(states)}{rest}.")
    names = {jobs.process for jobs in found} != {process}
    for line in format_lines(found, form, with_names=names):
        click.echo(line)
