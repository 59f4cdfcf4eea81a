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
    state = StateFile(state_path or default_path(os.environ, name, key), key)
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
