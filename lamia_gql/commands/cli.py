"""The commands of ``lamia-gql`` and their options.

Each command imports what it runs when it is called, so that ``--help`` and the clients start fast.
"""

from __future__ import annotations

import gc
import os

import click

from lamia_gql import __version__
from lamia_gql.commands.database_commands import DATABASE_COMMANDS
from lamia_gql.commands.failures import client_errors, database_errors, fail, load_settings
from lamia_gql.commands.follow_commands import follow
from lamia_gql.commands.hook_commands import hook
from lamia_gql.commands.options import CONFIG, DATABASE_URL, PUBLIC_URL, URL
from lamia_gql.commands.resubmit_commands import resubmit
from lamia_gql.commands.slurm_commands import slurm
from lamia_gql.commands.task_commands import TASK_COMMANDS
from lamia_gql.commands.token_commands import token


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lamia-gql")
def main() -> None:
    """Monitoring of batch jobs: run the server, maintain its database, watch tasks."""
    # A SQLite database that a command creates is for its owner only.
    os.umask(0o077)


for command in (*DATABASE_COMMANDS, *TASK_COMMANDS):
    main.add_command(command)
main.add_command(token)
follow.add_command(slurm)
for command in (follow, hook, resubmit):
    main.add_command(command)


@main.command()
@click.option("--host", help="Address to listen on. [env LAMIA_HOST]")
@click.option("--port", type=int, help="Port to listen on. [env LAMIA_PORT]")
@click.option("--workers", type=int, help="Number of server processes. [env LAMIA_WORKERS]")
@click.option(
    "--insecure",
    is_flag=True,
    default=None,
    help="Let whoever reaches the server do everything. [env LAMIA_INSECURE]",
)
@DATABASE_URL
@CONFIG
def serve(
    host: str | None,
    port: int | None,
    workers: int | None,
    insecure: bool | None,
    database_url: str | None,
    config: str | None,
) -> None:
    """Run the server."""
    settings = load_settings(
        config,
        host=host,
        port=port,
        workers=workers,
        insecure=insecure,
        database_url=database_url,
    )
    # What is imported stays: to look for garbage among it would take a tenth of the start.
    gc.disable()
    from lamia_gql.access.secret_keys import UnusableKeys
    from lamia_gql.graph.limits.persisted_documents import UnusableDocuments
    from lamia_gql.server.listening_socket import AddressUnavailable
    from lamia_gql.server.run import NoCredentials, TooManyWorkers, run
    from lamia_gql.server.service_manager import UnusableSocket

    gc.freeze()
    gc.enable()
    with database_errors(settings):
        try:
            run(settings)
        except (AddressUnavailable, UnusableKeys) as error:
            fail(1, str(error))
        except (NoCredentials, TooManyWorkers, UnusableDocuments, UnusableSocket) as error:
            fail(2, str(error))


@main.command()
def schema() -> None:
    """Print the GraphQL schema."""
    from lamia_gql.graph.schema import sdl

    click.echo(sdl(), nl=False)


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--name", help="Name of the task. Defaults to the workflow's name and the time.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Speed-up factor; 0 replays as fast as possible.",
)
@click.option(
    "--fail",
    "failure_probability",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Probability that a job fails.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Seed of the random choice of failing jobs.",
)
@URL
def replay(
    file: str, name: str | None, speed: float, failure_probability: float, seed: int, url: str
) -> None:
    """Replay a recorded workflow execution as a task with live jobs.

    FILE is in WfFormat 1.5 or 1.6.
    """
    from lamia_gql.commands.replay import replay as run
    from lamia_gql.commands.wfformat import WfFormatError

    with client_errors(interrupted="Interrupted. The task keeps its current state."):
        try:
            run(
                file,
                url,
                name=name,
                speed=speed,
                failure_probability=failure_probability,
                seed=seed,
            )
        except WfFormatError as error:
            fail(2, f"{file}: {error}")


@main.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@click.option("--name", help="Name of the task.")
@click.option(
    "--array",
    "arrays",
    multiple=True,
    metavar="NAME:JOBS|NAME:FIRST-LAST",
    help="Array with indices from 0 to JOBS - 1, or from FIRST to LAST. Repeatable.",
)
@click.option("--solitary", multiple=True, metavar="NAME", help="Solitary process. Repeatable.")
@click.option("--comment", help="Description of the task.")
@click.option("--tag", "tags", multiple=True, help="Tag of the task. Repeatable.")
@PUBLIC_URL
@URL
def submit(
    file: str | None,
    name: str | None,
    arrays: tuple[str, ...],
    solitary: tuple[str, ...],
    comment: str | None,
    tags: tuple[str, ...],
    public_url: str | None,
    url: str,
) -> None:
    """Create a task and print what its jobs need, for `eval`.

    Prints LAMIA_URL and LAMIA_TASK as shell exports. Whoever has a token also gets
    LAMIA_TOKEN_FILE: a file with a token for the jobs of this task. Warns on stderr if other
    machines can't reach the server by this LAMIA_URL.

    FILE is a TOML or JSON file with the fields of the task. --name and --comment override the
    file; --array, --solitary and --tag add to it.
    """
    from lamia_gql.commands.job_exports import find_loopback_warning, format_exports
    from lamia_gql.commands.submit import TaskInputError
    from lamia_gql.commands.submit import submit as run

    with client_errors():
        try:
            task, token_file = run(
                url,
                file,
                name=name,
                arrays=arrays,
                solitary=solitary,
                comment=comment,
                tags=tags,
            )
        except TaskInputError as error:
            fail(2, str(error))
    exported = public_url or url
    click.echo(format_exports(exported, task, token_file), nl=False)
    warning = find_loopback_warning(exported)
    if warning is not None:
        click.echo(warning, err=True)


@main.command()
@click.option(
    "--minutes",
    type=click.FloatRange(min=0.05),
    default=3.0,
    show_default=True,
    help="Duration of the demo.",
)
@URL
def demo(minutes: float, url: str) -> None:
    """Run simulated tasks that show every kind of progress."""
    from lamia_gql.commands.demo import demo as run

    with client_errors(interrupted="Interrupted. The tasks keep their current states."):
        run(url, minutes)
