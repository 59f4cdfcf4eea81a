"""The command line, ``lamia-gql``: the server, its database, and clients of a running server.

What goes wrong because of a setting or a file is one sentence on stderr, and exit code 2; what
goes wrong with a database or a server, one sentence and exit code 1.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lamia_gql import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamia_gql.domain.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
CONFIG = click.option(
    "--config", type=click.Path(dir_okay=False), help="A TOML file of settings. [env LAMIA_CONFIG]"
)
DATABASE = click.option("--database-url", help="Where the data lives. [env LAMIA_DATABASE_URL]")
URL = click.option(
    "--url",
    envvar="LAMIA_URL",
    default="http://127.0.0.1:8088",
    show_default=True,
    help="The server to talk to. [env LAMIA_URL]",
)


def _settings(config: str | None, **overrides: Any) -> Settings:
    from pydantic import ValidationError

    from lamia_gql.domain.settings import load
    from lamia_gql.storage.engine import DatabaseURLError, parse_url

    if config is not None:
        os.environ["LAMIA_CONFIG"] = config
    try:
        settings = load(**overrides)
        parse_url(settings.database_url)
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, problem['loc'])) or 'settings'}: {problem['msg']}"
            for problem in error.errors()
        )
        _fail(2, "Bad settings. " + "; ".join(problems) + ".")
    except (FileNotFoundError, DatabaseURLError) as error:
        _fail(2, str(error))
    except ValueError as error:
        _fail(2, f"The settings file is not TOML: {error}.")
    return settings


def _fail(code: int, message: str) -> Any:
    click.echo(message, err=True)
    sys.exit(code)


@contextmanager
def _database_errors() -> Iterator[None]:
    """One sentence for a database that is not there, or not to our liking."""
    from sqlalchemy.exc import SQLAlchemyError

    from lamia_gql.storage.engine import DatabaseURLError
    from lamia_gql.storage.migrations import NotMigrated, UnknownRevision

    try:
        yield
    except (NotMigrated, UnknownRevision, DatabaseURLError) as error:
        _fail(1, str(error))
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        _fail(1, f"The database can't be used: {reason}")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lamia-gql")
def main() -> None:
    """Monitoring for batch work: events of jobs in, the whole picture out."""


@main.command()
@click.option("--host", help="The address to listen on. [env LAMIA_HOST]")
@click.option("--port", type=int, help="The port to listen on. [env LAMIA_PORT]")
@click.option("--workers", type=int, help="How many processes serve. [env LAMIA_WORKERS]")
@DATABASE
@CONFIG
def serve(
    host: str | None,
    port: int | None,
    workers: int | None,
    database_url: str | None,
    config: str | None,
) -> None:
    """Run the server."""
    settings = _settings(config, host=host, port=port, workers=workers, database_url=database_url)
    from lamia_gql.server.run import AddressTaken, TooManyWorkers, run

    with _database_errors():
        try:
            run(settings)
        except AddressTaken as error:
            _fail(1, str(error))
        except TooManyWorkers as error:
            _fail(2, str(error))


@main.command()
@click.option("--revision", default="head", show_default=True, help="Where to: up, or down.")
@DATABASE
@CONFIG
def migrate(revision: str, database_url: str | None, config: str | None) -> None:
    """Bring the database to the form that this version expects."""
    settings = _settings(config, database_url=database_url)
    from lamia_gql.storage import migrations
    from lamia_gql.storage.engine import create_engine

    with _database_errors():
        engine = create_engine(settings)
        try:
            migrations.migrate(engine, revision)
            with engine.connect() as connection:
                click.echo(f"The database is at revision {migrations.current(connection)}.")
        finally:
            engine.dispose()


@main.command()
def schema() -> None:
    """Print the GraphQL schema."""
    from lamia_gql.graph.schema import sdl

    click.echo(sdl(), nl=False)


@main.command()
@click.argument("tasks", nargs=-1)
@DATABASE
@CONFIG
def recount(tasks: tuple[str, ...], database_url: str | None, config: str | None) -> None:
    """Compare all counters with the events, of TASKS or of all, and repair what differs.

    Exits with 1 where anything differed.
    """
    settings = _settings(config, database_url=database_url)
    from lamia_gql.ingest.recount import recount as differences
    from lamia_gql.storage import migrations
    from lamia_gql.storage.database import Database

    with _database_errors():
        database = Database(settings)
        try:
            if database.read_blocking(migrations.current) != migrations.head():
                raise migrations.NotMigrated
            number = 0
            for difference in differences(database, tasks):
                click.echo(difference)
                number += 1
        finally:
            database.close()
    if number:
        _fail(1, f"{number} differences, now repaired where there was something to repair.")
    click.echo("No difference.")


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--name", help="The task's name; by default, the workflow's and the time.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="How many times faster than it was; 0 is as fast as it goes.",
)
@click.option(
    "--fail",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="The part of the jobs that is to fail.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Chooses which jobs fail.")
@URL
def replay(file: str, name: str | None, speed: float, fail: float, seed: int, url: str) -> None:
    """Replay FILE, an execution in WfFormat, as a task with live jobs."""
    from lamia_gql.commands.remote import RemoteError
    from lamia_gql.commands.replay import replay as run
    from lamia_gql.commands.wfformat import FormatError

    try:
        run(file, url, name=name, speed=speed, fail=fail, seed=seed)
    except FormatError as error:
        _fail(2, f"{file}: {error}")
    except RemoteError as error:
        _fail(1, str(error))
    except KeyboardInterrupt:
        _fail(130, "Interrupted: the task stays as it is.")


@main.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@click.option("--name", help="The task's name.")
@click.option(
    "--array",
    "arrays",
    multiple=True,
    metavar="NAME:JOBS|NAME:FIRST-LAST",
    help="An array: its jobs count from 0, or from FIRST to LAST. May be repeated.",
)
@click.option(
    "--solitary", multiple=True, metavar="NAME", help="A process of one job. May be repeated."
)
@click.option("--comment", help="What the task is about.")
@click.option("--tag", "tags", multiple=True, help="A word to find it by. May be repeated.")
@URL
def submit(
    file: str | None,
    name: str | None,
    arrays: tuple[str, ...],
    solitary: tuple[str, ...],
    comment: str | None,
    tags: tuple[str, ...],
    url: str,
) -> None:
    """Make a task, and print what its jobs need, for `eval`: LAMIA_URL and LAMIA_TASK.

    FILE is TOML or JSON with the fields of the task. What else is given replaces its name and
    comment, and adds to its processes and tags.
    """
    from lamia_gql.commands.remote import RemoteError
    from lamia_gql.commands.submit import TaskError
    from lamia_gql.commands.submit import submit as run

    try:
        exports = run(
            url,
            file,
            name=name,
            arrays=arrays,
            solitary=solitary,
            comment=comment,
            tags=tags,
        )
    except TaskError as error:
        _fail(2, str(error))
    except RemoteError as error:
        _fail(1, str(error))
    click.echo(exports, nl=False)


@main.command()
@click.argument("task", required=False)
@click.option("--once", is_flag=True, help="Show how it is, and end.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for every picture.")
@URL
def watch(task: str | None, once: bool, as_json: bool, url: str) -> None:
    """Watch TASK until it has finished, or the latest tasks of all.

    Exits with 1 where TASK has failed.
    """
    from lamia_gql.commands.remote import RemoteError
    from lamia_gql.commands.watch import watch as run

    try:
        sys.exit(0 if run(url, task, once=once, as_json=as_json) else 1)
    except RemoteError as error:
        _fail(1, str(error))
    except KeyboardInterrupt:
        sys.exit(130)


@main.command()
@click.option(
    "--minutes",
    type=click.FloatRange(min=0.05),
    default=3.0,
    show_default=True,
    help="How long the jobs run.",
)
@URL
def demo(minutes: float, url: str) -> None:
    """Run a few simulated tasks that show all that there is to see."""
    from lamia_gql.commands.demo import demo as run
    from lamia_gql.commands.remote import RemoteError

    try:
        run(url, minutes)
    except RemoteError as error:
        _fail(1, str(error))
    except KeyboardInterrupt:
        _fail(130, "Interrupted: the tasks stay as they are.")
