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
    from logging import LogRecord

    from lamia_gql.domain.settings import Settings

POOLER = "unsupported startup parameter"
"""By these words PgBouncer refuses to open a session with parameters of its own."""


def fail(code: int, message: str) -> NoReturn:
    """Print a message to stderr, unless it is empty, and exit with a code."""
    if message:
        click.echo(message, err=True)
    sys.exit(code)


def agrees(question: str) -> bool:
    """Ask on the terminal; false if nobody is there to answer."""
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        return False


class InvalidSettingsError(ValueError):
    """A setting, or the file of settings, is invalid; a sentence says which."""


def load_settings(config: str | None, **overrides: Any) -> Settings:
    """Like :func:`read_settings`; exits with 2 if they are invalid."""
    try:
        return read_settings(config, **overrides)
    except InvalidSettingsError as error:
        fail(2, str(error))


def read_settings(config: str | None, **overrides: Any) -> Settings:
    """Return the settings of the environment and a file.

    Raises :class:`InvalidSettingsError`.

    Args:
        config: Path of a TOML file. Defaults to LAMIA_CONFIG.
        overrides: Values of options; None means that the option was not given.
    """
    from pydantic import ValidationError

    from lamia_gql.commands.setting_errors import UnknownSettingError, check_variables, describe
    from lamia_gql.domain.settings import SettingsFileError, load
    from lamia_gql.storage.database_url import DatabaseURLError, session_url
    from lamia_gql.storage.read_replica import replica_urls

    if config is not None:
        os.environ["LAMIA_CONFIG"] = config
    try:
        check_variables(os.environ)
        settings = load(**overrides)
        session_url(settings)
        replica_urls(settings)
    except ValidationError as error:
        raise InvalidSettingsError(describe(error)) from error
    except (UnknownSettingError, SettingsFileError, DatabaseURLError) as error:
        raise InvalidSettingsError(str(error)) from error
    return settings


@contextmanager
def database_errors(settings: Settings) -> Iterator[None]:
    """Exit with 1 if the database is unavailable, unsuitable, or in use by others.

    What is logged where no log is set up, as in all commands but ``serve``, has no tracebacks.
    """
    import logging

    if logging.lastResort is not None:
        logging.lastResort.addFilter(_without_traceback)
    try:
        yield
    except Exception as error:
        problem = database_problem(error, settings)
        if problem is None:
            raise
        fail(1, problem)


def _without_traceback(record: LogRecord) -> bool:
    record.exc_info = None
    return True


def database_problem(
    error: Exception, settings: Settings, name: str = "The database"
) -> str | None:
    """What an error says about the database, as a sentence; None if it says nothing about it.

    On PostgreSQL, the sentence begins with the ``name``.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from lamia_gql.domain.errors import ErrorCode, Unavailable
    from lamia_gql.storage.database_url import DatabaseURLError, UnusableDatabase, parse_url
    from lamia_gql.storage.sqlite_file import access_problem

    if isinstance(error, Unavailable):
        cause = error.__cause__
        if error.code is not ErrorCode.STORAGE_FAILED or not isinstance(cause, SQLAlchemyError):
            return error.message
        error = cause
    if isinstance(error, (UnusableDatabase, DatabaseURLError)):
        return str(error)
    if not isinstance(error, SQLAlchemyError):
        return None
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    url = parse_url(settings.database_url)
    if url.get_backend_name() != "sqlite":
        advice = " Through PgBouncer, listen_database_url is needed." if POOLER in reason else ""
        return f"{name} can't be used: {reason.removesuffix('.')}.{advice}"
    # SQLite itself names neither the file nor what is wrong with it.
    reason = access_problem(url) or reason
    return f"The database {url.database} can't be used: {reason}."


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
