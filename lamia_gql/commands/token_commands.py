"""The commands that manage credentials, on the database of the settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from lamia_gql.commands.failures import database_errors, fail, load_settings
from lamia_gql.commands.options import CONFIG, DATABASE_URL

if TYPE_CHECKING:
    from lamia_gql.domain.settings import Settings
    from lamia_gql.storage.database import Database

ROLES = ("read", "submit", "report", "admin")


@click.group()
def token() -> None:
    """Create, list and revoke tokens, on the database of the server.

    They work before the server's first start, and while it runs.
    """


@token.command()
@click.option("--name", required=True, help="Name of the token, which owns the tasks it creates.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice(ROLES, case_sensitive=False),
    help="What its bearer may do. Repeatable.",
)
@click.option(
    "--prefix",
    default="",
    help="What the names of tasks begin with that it may create, change or submit events to.",
)
@click.option("--expires", type=click.FloatRange(min=0, min_open=True), help="Days until it ends.")
@DATABASE_URL
@CONFIG
def create(
    name: str,
    roles: tuple[str, ...],
    prefix: str,
    expires: float | None,
    database_url: str | None,
    config: str | None,
) -> None:
    """Create an access token, and print it.

    It is shown only now: the database has its SHA-256.
    """
    from lamia_gql.access.access_tokens import AccessTokenSpec
    from lamia_gql.access.access_tokens import create as create_token
    from lamia_gql.domain.access import Role

    now = datetime.now(UTC)
    try:
        ends = None if expires is None else now + timedelta(days=expires)
    except OverflowError:
        fail(2, "--expires is too many days.")
    spec = AccessTokenSpec(name, frozenset(Role(role.upper()) for role in roles), prefix, ends)
    with _database(load_settings(config, database_url=database_url)) as database:
        made, _ = database.write_blocking(lambda t: create_token(t.connection, spec, now))
    click.echo(made)


@token.command("list")
@DATABASE_URL
@CONFIG
def list_tokens(database_url: str | None, config: str | None) -> None:
    """List the access tokens: name, roles, prefix, end and last use."""
    from lamia_gql.access.access_tokens import read_all

    with _database(load_settings(config, database_url=database_url)) as database:
        rows = database.read_blocking(read_all)
    for row in rows:
        parts = [row.name, row.roles.lower(), f"prefix {row.prefix}" if row.prefix else ""]
        parts.append(_time("ends", row.expires_at, "never ends"))
        parts.append(_time("last used", row.last_used_at, "never used"))
        click.echo("\t".join(part for part in parts if part))


@token.command()
@click.argument("name")
@DATABASE_URL
@CONFIG
def revoke(name: str, database_url: str | None, config: str | None) -> None:
    """Revoke the access token NAME: servers refuse it within seconds."""
    from lamia_gql.access.access_tokens import revoke as revoke_token

    with _database(load_settings(config, database_url=database_url)) as database:
        database.write_blocking(lambda t: revoke_token(t.connection, name))
    click.echo(f"Token “{name}” is revoked.")


@token.command()
@click.argument("name")
@click.option("--process", help="Only events of this process. Defaults to all.")
@click.option("--expires", type=click.FloatRange(min=0, min_open=True), help="Days until it ends.")
@click.option("--revoke", "revokes", is_flag=True, help="Revoke all tokens of the task instead.")
@DATABASE_URL
@CONFIG
def task(
    name: str,
    process: str | None,
    expires: float | None,
    revokes: bool,
    database_url: str | None,
    config: str | None,
) -> None:
    """Print a token with which jobs submit the events of task NAME.

    It does not end unless --expires is given, because the time that jobs wait in a queue is
    unknown.
    """
    from lamia_gql.access import job_tokens
    from lamia_gql.access.secret_keys import load_keys
    from lamia_gql.domain.access import ANYONE
    from lamia_gql.ingest.task_tokens import grant_of, revoke_tokens

    settings = load_settings(config, database_url=database_url)
    with _database(settings) as database:
        if revokes:
            database.write_blocking(revoke_tokens(name, ANYONE))
            click.echo(f"All tokens of task “{name}” are revoked.")
            return
        grant = database.write_blocking(grant_of(name, process, ANYONE))
        ends = None if expires is None else datetime.now(UTC).timestamp() + 86_400 * expires
        click.echo(job_tokens.issue(load_keys(settings), grant, ends))


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    """The migrated database; exits with 1 for its errors, and for those of the input."""
    from lamia_gql.access.secret_keys import UnusableKeys
    from lamia_gql.domain.errors import UserError
    from lamia_gql.ingest.task_input import InvalidInput
    from lamia_gql.storage.database import Database
    from lamia_gql.storage.migrations import prepare

    with database_errors(settings):
        database = Database(settings)
        try:
            prepare(database.engine)
            yield database
        except (UserError, InvalidInput, UnusableKeys) as error:
            fail(1, str(error))
        finally:
            database.close()


def _time(what: str, time: datetime | None, never: str) -> str:
    return never if time is None else f"{what} {time:%Y-%m-%d %H:%M} UTC"
