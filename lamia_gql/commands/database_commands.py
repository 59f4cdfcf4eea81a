"""The commands that an operator runs on the database of the settings, and their options."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lamia_gql.commands.failures import agrees, database_errors, fail, load_settings
from lamia_gql.commands.options import CONFIG, DATABASE_URL


@click.command()
@click.option(
    "--revision",
    default="head",
    show_default=True,
    help="Revision to upgrade or downgrade to.",
)
@click.option("--yes", is_flag=True, help="Do not ask before data is removed.")
@DATABASE_URL
@CONFIG
def migrate(revision: str, yes: bool, database_url: str | None, config: str | None) -> None:
    """Migrate the database to the revision of this version.

    Asks before it goes down to an earlier revision, which removes data.
    """
    settings = load_settings(config, database_url=database_url)
    from lamia_gql.storage import migrations
    from lamia_gql.storage.engine import create_engine, create_session_engine

    with database_errors(settings):
        engine = create_engine(settings) if database_url else create_session_engine(settings)
        try:
            if not yes and migrations.removes_data(engine, revision):
                where = engine.url.set(drivername=engine.dialect.name).render_as_string()
                if not agrees(f"This removes {_removed_by(revision)} from {where}. Continue?"):
                    fail(1, "Nothing was changed. In a script, agree by --yes.")
            migrations.migrate(engine, revision)
            with engine.connect() as connection:
                current = migrations.current(connection) or "base"
            click.echo(f"The database is at revision {current}.")
        finally:
            engine.dispose()


def _removed_by(revision: str) -> str:
    if revision == "base":
        return "all tasks and events"
    return f"whatever is stored since revision {revision} only"


@click.command()
@click.argument("tasks", nargs=-1)
@DATABASE_URL
@CONFIG
def recount(tasks: tuple[str, ...], database_url: str | None, config: str | None) -> None:
    """Recompute the counters from the events and repair them.

    Checks TASKS, or all tasks if none is given. Prints each difference, and exits with 1 if there
    was any.
    """
    settings = load_settings(config, database_url=database_url)
    from lamia_gql.ingest.recount import recount as find_differences
    from lamia_gql.storage import migrations
    from lamia_gql.storage.database import Database
    from lamia_gql.storage.database_url import parse_url
    from lamia_gql.storage.sqlite_file import require_file

    with database_errors(settings):
        require_file(parse_url(settings.database_url))
        database = Database(settings)
        try:
            if not database.read_blocking(migrations.is_usable):
                raise migrations.NotMigrated
            number = 0
            for difference in find_differences(database, tasks):
                click.echo(difference)
                number += 1
        finally:
            database.close()
    if number:
        fail(1, f"{number} differences found, and repaired where possible.")
    click.echo("No difference.")


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option(
    "--vacuum", is_flag=True, help="Then write a SQLite file anew, while no server uses it."
)
@DATABASE_URL
@CONFIG
def prune(dry_run: bool, vacuum: bool, database_url: str | None, config: str | None) -> None:
    """Remove tasks and BEATs that are kept no longer.

    The settings retention_… and beat_retention_days say which. May run while servers do.
    """
    settings = load_settings(config, database_url=database_url)
    from lamia_gql.commands.prune import CannotPrune
    from lamia_gql.commands.prune import prune as run

    with database_errors(settings):
        try:
            run(settings, dry_run=dry_run, vacuum=vacuum)
        except CannotPrune as error:
            fail(error.exit_code, str(error))


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@DATABASE_URL
@CONFIG
def backup(file: Path, database_url: str | None, config: str | None) -> None:
    """Copy the SQLite database to FILE, which must not exist.

    May run while the server does. For PostgreSQL, says which of its tools does it.
    """
    settings = load_settings(config, database_url=database_url)
    from lamia_gql.storage.backup import BackupFailed, NoBackup, back_up

    with database_errors(settings):
        try:
            size = back_up(settings, file)
        except NoBackup as error:
            fail(2, str(error))
        except BackupFailed as error:
            fail(1, str(error))
    click.echo(f"Copied {size:,} bytes to {file}.")


@click.command()
@DATABASE_URL
@CONFIG
def check(database_url: str | None, config: str | None) -> None:
    """Say what is wrong with settings, database, disk and clocks.

    Prints a line for each, and exits with 1 if anything is wrong. Changes nothing.
    """
    from lamia_gql.commands.system_check import check as run

    is_wrong = False
    for finding in run(config, database_url):
        click.echo(finding.line)
        is_wrong = is_wrong or finding.is_wrong
    sys.exit(1 if is_wrong else 0)


DATABASE_COMMANDS = (migrate, recount, prune, backup, check)
