"""Options that several commands share."""

from __future__ import annotations

import click

CONFIG = click.option(
    "--config", type=click.Path(dir_okay=False), help="TOML file with settings. [env LAMIA_CONFIG]"
)
DATABASE_URL = click.option(
    "--database-url", help="Address of the database. [env LAMIA_DATABASE_URL]"
)
URL = click.option(
    "--url",
    envvar="LAMIA_URL",
    default="http://127.0.0.1:8088",
    show_default=True,
    help="Address of the server. [env LAMIA_URL]",
)
