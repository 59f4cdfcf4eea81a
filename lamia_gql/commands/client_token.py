"""The token by which the commands of a client identify themselves, and the files of job tokens."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from lamia_gql.client.configuration import (
    ConfigurationError,
    ServerConfig,
    find_server,
    is_token,
)

TOKEN_FILE = ".lamia-token"
"""The file in the home directory with the token of the user."""
TOKEN_FOLDER = ".lamia-tokens"
"""The folder in the home directory with the job tokens of submitted tasks, one file a task."""
MAX_FILE_NAME_BYTES = 255
"""How long a name may be in the usual file systems."""
JOB_TOKEN = "lamia_j1."


class UserToken(NamedTuple):
    """A token, and where it was found."""

    text: str
    origin: str


def find_token(environ: Mapping[str, str]) -> UserToken | None:
    """Return the user's token; None without any.

    It is that of ``LAMIA_TOKEN``, or in ``LAMIA_TOKEN_FILE``, or in :data:`TOKEN_FILE` of the home
    directory. In a shell from which jobs are submitted, the variables may have the token of the
    jobs, which allows no more than to submit events: it is used if there is no other.

    Raises :class:`ConfigurationError` if ``LAMIA_TOKEN_FILE`` can't be read, or if the token has
    characters that no token has.
    """
    token = _read_token(environ)
    if token is not None and not is_token(token.text):
        raise ConfigurationError(f"The token in {token.origin} has characters that no token has.")
    return token


def _read_token(environ: Mapping[str, str]) -> UserToken | None:
    given, origin = (environ.get("LAMIA_TOKEN") or "").strip(), "LAMIA_TOKEN"
    path = environ.get("LAMIA_TOKEN_FILE")
    if not given and path:
        origin = f"LAMIA_TOKEN_FILE {path}"
        try:
            given = Path(path).read_text().strip()
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise ConfigurationError(f"{origin} can't be read: {reason}.") from error
    if given and not given.startswith(JOB_TOKEN):
        return UserToken(given, origin)
    try:
        own = (Path.home() / TOKEN_FILE).read_text().strip()
    except (OSError, UnicodeError, RuntimeError):
        own = ""
    if own:
        return UserToken(own, f"~/{TOKEN_FILE}")
    return UserToken(given, origin) if given else None


def authorization(token: UserToken | None) -> dict[str, str]:
    """Return the headers that identify the user; none without a token."""
    return {} if token is None else {"authorization": f"Bearer {token.text}"}


def find_event_server(environ: Mapping[str, str], url: str) -> ServerConfig:
    """Return the server to submit events to, with the token of the jobs or else of the user.

    Unlike :func:`find_token`, it prefers what ``LAMIA_TOKEN`` and ``LAMIA_TOKEN_FILE`` say: who
    only submits events needs no more than a job token.

    Raises :class:`ConfigurationError`.
    """
    server = find_server(environ, url=url)
    if server.token is None and server.token_file is None:
        try:
            own = Path.home() / TOKEN_FILE
        except RuntimeError:
            return server
        if own.exists():
            return server._replace(token_file=str(own))
    return server


def write_job_token(task: str, token: str) -> Path:
    """Write the token of a task's jobs to a file that only its user can read; return its path.

    Raises ``OSError``, and ``RuntimeError`` if the user has no home directory.
    """
    folder = Path.home() / TOKEN_FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / _file_name(task)
    made = folder / f".{_checksum(task)}.{os.getpid()}"
    with open(os.open(made, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
        file.write(f"{token}\n")
    made.replace(path)
    return path


def _file_name(task: str) -> str:
    """Return the name of a task, or its beginning and a checksum if it is too long for a file."""
    encoded = task.encode()
    if len(encoded) <= MAX_FILE_NAME_BYTES:
        return task
    end = f"-{_checksum(task)}"
    return encoded[: MAX_FILE_NAME_BYTES - len(end)].decode(errors="ignore") + end


def _checksum(task: str) -> str:
    return f"{zlib.crc32(task.encode()):08x}"
