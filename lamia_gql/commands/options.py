"""Options that several commands share."""

from __future__ import annotations

import click

from lamia_gql.client.configuration import ConfigurationError, parse_url


def _parse_address(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> str | None:
    """Return the root address of a server, from any form that ``LAMIA_URL`` may have."""
    try:
        return None if value is None else parse_url(value)
    except ConfigurationError as error:
        raise click.BadParameter(str(error)) from error


CONFIG = click.option(
    "--config", type=click.Path(dir_okay=False), help="TOML file with settings. [env LAMIA_CONFIG]"
)
DATABASE_URL = click.option(
    "--database-url", help="Address of the database. [env LAMIA_DATABASE_URL]"
)
URL = click.option(
    "--url",
    callback=_parse_address,
    metavar="URL",
    envvar="LAMIA_URL",
    default="http://127.0.0.1:8088",
    show_default=True,
    help="Address of the server. [env LAMIA_URL]",
)
PUBLIC_URL = click.option(
    "--public-url",
    callback=_parse_address,
    metavar="URL",
    envvar="LAMIA_PUBLIC_URL",
    help="Address by which jobs reach the server; defaults to --url. [env LAMIA_PUBLIC_URL]",
)
USERS = click.option(
    "--user", "usernames", multiple=True, help="Only tasks of this user. Repeatable."
)
TAGS = click.option("--tag", "tags", multiple=True, help="Only tasks with this tag. Repeatable.")
STATES = click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(
        ("PENDING", "SUBMITTED", "RUNNING", "SUCCEEDED", "FAILED"), case_sensitive=False
    ),
    help="Only tasks in this state. Repeatable.",
)
