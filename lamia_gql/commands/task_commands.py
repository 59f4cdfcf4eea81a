"""The commands that list, watch, show and delete tasks, and their options."""

from __future__ import annotations

import sys

import click
from click.core import ParameterSource

from lamia_gql.commands.failures import client_errors, fail
from lamia_gql.commands.options import STATES, TAGS, URL, USERS

JOB_STATES = ("PENDING", "SUBMITTED", "RUNNING", "DONE", "FAILED", "TERMINATED", "HELD")
EXIT_NO_MATCH = 3
"""The exit code of ``indices`` if no job matches."""


@click.command()
@click.argument("patterns", nargs=-1, metavar="[NAME]...")
@USERS
@TAGS
@STATES
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Largest number of tasks to list.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for every task.")
@URL
def tasks(
    patterns: tuple[str, ...],
    usernames: tuple[str, ...],
    tags: tuple[str, ...],
    states: tuple[str, ...],
    limit: int,
    as_json: bool,
    url: str,
) -> None:
    """List the tasks, the newest first.

    With NAMEs, only tasks of these names are listed; `*` stands for any text, `?` for any one
    character.
    """
    from lamia_gql.commands.task_list import list_tasks

    with client_errors():
        list_tasks(
            url,
            patterns=patterns,
            usernames=usernames,
            tags=tags,
            states=states,
            limit=limit,
            as_json=as_json,
        )


@click.command()
@click.argument("task", required=False)
@USERS
@TAGS
@STATES
@click.option("--once", is_flag=True, help="Print the current state and exit.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for every update.")
@URL
def watch(
    task: str | None,
    usernames: tuple[str, ...],
    tags: tuple[str, ...],
    states: tuple[str, ...],
    once: bool,
    as_json: bool,
    url: str,
) -> None:
    """Show TASK, updated live, until it has finished.

    Without TASK, shows the tasks until interrupted, those that need attention first. Exits with 1
    if TASK has failed.

    The arrow keys, PgUp, PgDn, Home and End scroll; q quits.
    """
    if task is not None and (usernames or tags or states):
        raise click.UsageError("--user, --tag and --state select from the list: give no TASK.")
    from lamia_gql.commands.watch import watch as run

    with client_errors(interrupted=""):
        has_succeeded = run(
            url, task, usernames=usernames, tags=tags, states=states, once=once, as_json=as_json
        )
    sys.exit(0 if has_succeeded else 1)


@click.command()
@click.argument("task")
@click.option(
    "--limit",
    type=click.IntRange(1, 100),
    default=10,
    show_default=True,
    help="Largest number of failed, and of lost, jobs to show of each process.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@URL
def show(task: str, limit: int, as_json: bool, url: str) -> None:
    """Show TASK: its processes, why jobs failed, and the failed, held and lost jobs."""
    from lamia_gql.commands.task_report import show_task

    source = click.get_current_context().get_parameter_source("url")
    options = ("--url", url) if source is ParameterSource.COMMANDLINE else ()
    with client_errors():
        show_task(url, task, limit=limit, as_json=as_json, options=options)


@click.command()
@click.argument("task")
@click.argument("process")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(JOB_STATES, case_sensitive=False),
    help="Jobs in this state. Repeatable.",
)
@click.option("--lost", is_flag=True, help="Jobs that are RUNNING and have been silent for long.")
@click.option("--lines", is_flag=True, help="Print each index on a line of its own.")
@URL
def indices(
    task: str, process: str, states: tuple[str, ...], lost: bool, lines: bool, url: str
) -> None:
    """Print the indices of jobs of an array, for a resubmission.

    They are printed as ranges, like `813,900-904`, as `sbatch --array` takes them. Exits with 3 if
    no job matches.
    """
    if not states and not lost:
        raise click.UsageError("Say which jobs: --state failed, or --lost.")
    from lamia_gql.commands.index_list import expand, select_indices

    with client_errors():
        found = select_indices(url, task, process, states, with_lost=lost)
    if not found:
        wanted = " or ".join([*states, *(["LOST"] if lost else [])])
        fail(EXIT_NO_MATCH, f"No job of “{process}” is {wanted}.")
    if lines:
        for index in expand(found):
            click.echo(index)
    else:
        click.echo(found)


@click.command()
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...")
@click.option("--yes", is_flag=True, help="Do not ask.")
@URL
def delete(tasks: tuple[str, ...], yes: bool, url: str) -> None:
    """Delete TASKs with all their events.

    Asks before. A task that can't be deleted does not keep the others; the exit code is then 1.
    """
    from lamia_gql.commands.server_client import (
        ServerClient,
        ServerClientError,
        ServerUnavailableError,
    )

    names = ", ".join(f"“{name}”" for name in tasks)
    if not yes and not click.confirm(f"Delete {names} with all events?", err=True):
        fail(1, "Nothing was deleted.")
    has_failed = False
    with client_errors(), ServerClient(url) as client:
        for name in tasks:
            try:
                client.delete_task(name)
            except ServerUnavailableError:
                raise
            except ServerClientError as error:
                click.echo(str(error), err=True)
                has_failed = True
            else:
                click.echo(f"Deleted “{name}”.")
    if has_failed:
        fail(1, "")


TASK_COMMANDS = (tasks, watch, show, indices, delete)
