"""The commands that follow what batch systems write about their jobs, until they are stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lamia_gql.commands.failures import fail
from lamia_gql.commands.options import URL

if TYPE_CHECKING:
    from lamia_gql.adapters.source import Source


def follow_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that all followers have: --once, --state and --url."""
    once = click.option("--once", is_flag=True, help="Read to the end and exit.")
    state = click.option(
        "--state",
        "state_path",
        type=click.Path(dir_okay=False, path_type=Path),
        help="File that remembers the place. Defaults to one in $XDG_STATE_HOME/lamia-gql.",
    )
    return once(state(URL(command)))


def run_follower(
    name: str, source: Source, *, once: bool, state_path: Path | None, url: str
) -> None:
    """Follow a source until SIGTERM or Ctrl-C, or to the end if ``once``.

    Exits with 1 if not everything that was read could be stored, with 2 for a wrong setting.

    Args:
        name: of the system, for the name of the file that remembers the place.
        source: what to follow.
        once: whether to stop at the end.
        state_path: the file that remembers the place, if the user has named one.
        url: address of the server.
    """
    from lamia_gql.adapters.follower import Follower
    from lamia_gql.adapters.state_file import StateFile, default_path
    from lamia_gql.client.configuration import ConfigurationError
    from lamia_gql.client.server_connection import ServerConnection
    from lamia_gql.commands.client_token import find_event_server

    try:
        server = find_event_server(os.environ, url)
    except ConfigurationError as error:
        fail(2, str(error))
    key = f"{server.url} {source.key}"
    try:
        state = StateFile(state_path or default_path(os.environ, name, key), key)
    except RuntimeError:
        fail(2, "There is no home directory to remember the place in: name a file by --state.")
    follower = Follower(source, state, ServerConnection(server), lambda s: click.echo(s, err=True))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: follower.stop())
    is_complete = follower.follow(once=once)
    if once:
        click.echo(f"{follower.stored} events stored.", err=True)
        if not is_complete:
            fail(1, "")


@click.group()
def follow() -> None:
    """Follow the log of a batch system, and submit what happens to its jobs."""


@follow.command()
@click.argument(
    "logs",
    nargs=-1,
    required=True,
    metavar="LOG...",
    type=click.Path(dir_okay=False, path_type=Path),
)
@click.option(
    "--task",
    envvar="LAMIA_TASK",
    help="Task of the jobs. Defaults to their attribute LamiaTask. [env LAMIA_TASK]",
)
@click.option(
    "--process",
    help="Process of the jobs. Defaults to their attribute LamiaProcess, then to their DAG node.",
)
@click.option(
    "--first-index",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Index of the job that HTCondor counts as 0. An attribute LamiaIndex overrides it.",
)
@click.option(
    "--cluster", "clusters", type=int, multiple=True, help="Only this cluster. Repeatable."
)
@follow_options
def condor(
    logs: tuple[Path, ...],
    task: str | None,
    process: str | None,
    first_index: int,
    clusters: tuple[int, ...],
    once: bool,
    state_path: Path | None,
    url: str,
) -> None:
    """Follow job event logs of HTCondor.

    A LOG is one of a user (`log = …` in a submit file), of DAGMan, or of a whole access point
    (EVENT_LOG).
    """
    try:
        from lamia_gql.adapters.condor.source import CondorLogs
    except ImportError:
        fail(2, "HTCondor's logs need its library: pip install 'lamia-gql[condor]'.")
    from lamia_gql.adapters.condor.job_target import JobTarget

    target = JobTarget(task, process, first_index, frozenset(clusters))
    source = CondorLogs(logs, target)
    run_follower("condor", source, once=once, state_path=state_path, url=url)


@follow.command()
@click.argument("log", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--task", envvar="LAMIA_TASK", required=True, help="The task. [env LAMIA_TASK]")
@click.option(
    "--process", envvar="LAMIA_PROCESS", required=True, help="The array. [env LAMIA_PROCESS]"
)
@click.option(
    "--first-index",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Index of the job that GNU parallel counts as 1.",
)
@follow_options
def joblog(
    log: Path,
    task: str,
    process: str,
    first_index: int,
    once: bool,
    state_path: Path | None,
    url: str,
) -> None:
    """Follow the log that GNU parallel writes with --joblog FILE."""
    from lamia_gql.adapters.job_log import ParallelLog

    source = ParallelLog(log, task, process, first_index)
    run_follower("joblog", source, once=once, state_path=state_path, url=url)
