"""Expected errors end a command with one sentence on stderr and an exit code.

The code is 2 for an error in a setting or a file, 1 for an error of a database or a server, and
130 for an interrupt.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from lamia_gql.domain.settings import Settings


def fail(code: int, message: str) -> NoReturn:
    """Print a message to stderr, unless it is empty, and exit with a code."""
    if message:
        click.echo(message, err=True)
    sys.exit(code)


def load_settings(config: str | None, **overrides: Any) -> Settings:
    """Return the settings of the environment and a file; exits with 2 if they are invalid.

    Args:
        config: Path of a TOML file. Defaults to LAMIA_CONFIG.
        overrides: Values of options; None means that the option was not given.
    """
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
        fail(2, "Invalid settings. " + "; ".join(problems) + ".")
    except (FileNotFoundError, DatabaseURLError) as error:
        fail(2, str(error))
    except ValueError as error:
        fail(2, f"The settings file is not valid TOML: {error}.")
    return settings


@contextmanager
def database_errors() -> Iterator[None]:
    """Exit with 1 if the database is unavailable, unsuitable or at another revision."""
    from sqlalchemy.exc import SQLAlchemyError

    from lamia_gql.storage.engine import DatabaseURLError
    from lamia_gql.storage.migrations import NotMigrated, UnknownRevision, UnsuitableEncoding

    try:
        yield
    except (NotMigrated, UnknownRevision, UnsuitableEncoding, DatabaseURLError) as error:
        fail(1, str(error))
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        fail(1, f"The database can't be used: {reason}")


@contextmanager
def client_errors(*, interrupted: str | None = None) -> Iterator[None]:
    """Exit with 1 if the server is unavailable or refuses a request.

    Args:
        interrupted: What to print after Ctrl-C, before exiting with 130. None leaves Ctrl-C to
            click.
    """
    from lamia_gql.commands.server_client import ServerClientError

    try:
        yield
    except ServerClientError as error:
        fail(1, str(error))
    except KeyboardInterrupt:
        if interrupted is None:
            raise
        fail(130, interrupted)
