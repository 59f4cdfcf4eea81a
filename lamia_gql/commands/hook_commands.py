"""The commands that batch systems run for each job."""

from __future__ import annotations

import os

import click

CLOSE_TIMEOUT_S = 5.0
"""How long the server may take to accept an event; then it is spooled."""


@click.group()
def hook() -> None:
    """Report a job to the server. Batch systems run these commands."""


@hook.command()
def slurm() -> None:
    """Report a job of Slurm, as PrologSlurmctld, EpilogSlurmctld, or JobCompLoc of jobcomp/script.

    Reports only jobs with a comment or name like `lamia:TASK/PROCESS`. Returns at once and goes on
    in the background; keeps in LAMIA_SPOOL what the server does not take. The exit code is 0
    whatever happens, because Slurm requeues jobs for another one.
    """
    from lamia_gql.adapters.background import detach
    from lamia_gql.adapters.slurm.hook_call import find_call
    from lamia_gql.client.configuration import ConfigurationError, find_server

    call = find_call(os.environ)
    if call is None:
        click.echo("lamia-gql hook slurm: Slurm's controller has to run this.", err=True)
        return
    try:
        server = find_server(os.environ)
    except ConfigurationError as error:
        click.echo(f"lamia-gql hook slurm: {error} Nothing is reported.", err=True)
        return
    try:
        is_background = detach()
    except OSError as error:
        text = (
            f"lamia-gql hook slurm: It can't go into the background: {error}. Nothing is reported."
        )
        click.echo(text, err=True)
        return
    if not is_background:
        return
    from lamia_gql.adapters.slurm.hook import read_events
    from lamia_gql.adapters.slurm.slurm_command import SlurmError
    from lamia_gql.client.sender import Sender
    from lamia_gql.client.warning_log import WarningLog

    try:
        events = read_events(call)
    except SlurmError:
        return  # the controller has not answered for long; nobody would read a message
    if not events:
        return
    fields = events[0].fields
    sender = Sender(server, (fields["task"], fields["process"]), WarningLog())
    for event in events:
        sender.put(event)
    sender.close(CLOSE_TIMEOUT_S)
