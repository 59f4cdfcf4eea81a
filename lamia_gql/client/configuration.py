"""Which server gets the events and whose events they are, from arguments or the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from lamia_gql.client.batch_systems import MAX_INT32, BatchJob

NO_INDEX = "none"
"""The value of LAMIA_INDEX in a solitary process."""
URL_PATTERN = (
    r"https?://([^\s/?#:@\[\]]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?(?P<path>/[^\s?#]*)?"
)
MAX_PORT = 65535
INTERFACES = ("/graphql", "/api/v0")
"""The paths of a server's interfaces below its root address."""


class ConfigurationError(ValueError):
    """A setting is missing or invalid; the message is one sentence for the user."""


class ServerConfig(NamedTuple):
    """A server, and what is needed to reach it."""

    url: str
    """The full address of its GraphQL endpoint."""
    token: str | None
    """The bearer token; it takes precedence over ``token_file``."""
    token_file: str | None
    """The path of a file with the bearer token."""
    spool: str
    """The directory for events that can't be sent."""
    environ: Mapping[str, str]
    """The variables that tell about proxies."""


class JobIdentity(NamedTuple):
    """The job that events belong to."""

    task: str
    process: str
    job_index: int | None
    """The index in the array; None in a solitary process."""
    index_found: bool
    """Whether the index comes from the batch system, so that it may be dropped."""
    attempt: int
    """How often the batch system has restarted the job."""
    batch_id: str | None
    """The batch system's own id of the job."""
    hostname: str | None
    """The batch system's name of the node."""
    cpus: int | None
    """How many CPUs the job has got."""
    requested_memory_bytes: int | None
    """How much memory the job has asked for."""
    reports: bool
    """Whether this process reports: of the ranks of a parallel job, only the first one does."""


def parse_url(text: str) -> str:
    """Return the root address of a server, without a slash at its end.

    This is what ``LAMIA_URL`` means to every command: the root address, or that of ``/graphql`` or
    ``/api/v0`` below it; all may have a path before it, and a slash at the end. Raises
    :class:`ConfigurationError`.
    """
    url = text.strip().rstrip("/")
    if re.match("[^/]*//[^/]*@", url):
        raise ConfigurationError(
            "The address of the server has a user or a password in it: use LAMIA_TOKEN instead."
        )
    found = re.fullmatch(URL_PATTERN, url, re.IGNORECASE)
    if found is None or int(found["port"] or 0) > MAX_PORT:
        raise ConfigurationError(
            f"{url!r} is not the address of a server, such as http://host:8088."
        )
    # A host may have that name, too.
    for suffix in INTERFACES:
        if found["path"] and url.endswith(suffix):
            return url[: -len(suffix)]
    return url


def find_endpoint(url: str) -> str:
    """Return the address of a server's GraphQL endpoint. Raises :class:`ConfigurationError`."""
    return f"{parse_url(url)}/graphql"


def find_server(
    environ: Mapping[str, str], *, url: str | None = None, spool: str | None = None
) -> ServerConfig:
    """Return the server, from the arguments or from ``environ``.

    Reads ``LAMIA_URL``, ``LAMIA_TOKEN``, ``LAMIA_TOKEN_FILE`` and ``LAMIA_SPOOL``. Raises
    :class:`ConfigurationError`.
    """
    url = url or environ.get("LAMIA_URL")
    if not url:
        raise ConfigurationError("LAMIA_URL is not set.")
    token_file = environ.get("LAMIA_TOKEN_FILE")
    return ServerConfig(
        url=find_endpoint(url),
        token=environ.get("LAMIA_TOKEN", "").strip() or None,
        token_file=_make_absolute(token_file) if token_file else None,
        spool=_make_absolute(spool or environ.get("LAMIA_SPOOL") or _default_spool()),
        environ=environ,
    )


def is_token(text: str) -> bool:
    """Whether a text has the characters of a token; others are not printed, as it may be secret."""
    return text.isascii() and text.isprintable()


def find_job(
    environ: Mapping[str, str],
    *,
    task: str | None = None,
    process: str | None = None,
    index: int | str | None = None,
    attempt: int | None = None,
) -> JobIdentity:
    """Return the job, from the arguments or from ``environ``.

    Reads ``LAMIA_TASK``, ``LAMIA_PROCESS``, ``LAMIA_INDEX``, ``LAMIA_ATTEMPT`` and ``LAMIA_RANK``.
    An index, attempt or rank that is given nowhere is taken from the batch system. Raises
    :class:`ConfigurationError`.
    """
    task = task or environ.get("LAMIA_TASK")
    process = process or environ.get("LAMIA_PROCESS")
    if not task or not process:
        missing = " and ".join(
            name for name, value in (("LAMIA_TASK", task), ("LAMIA_PROCESS", process)) if not value
        )
        raise ConfigurationError(f"{missing} not set.")
    given = str(environ.get("LAMIA_INDEX", "") if index is None else index).strip()
    batch = BatchJob(environ)
    found = batch.index if not given else None
    job_index = _parse_index(given) if given else found
    if attempt is None:
        attempt = _read_number(environ, "LAMIA_ATTEMPT")
    rank = _read_number(environ, "LAMIA_RANK")
    # Where each rank has got an index of its own, it is a job of its own.
    is_own_job = bool(given) and job_index is not None
    return JobIdentity(
        task=str(task),
        process=str(process),
        job_index=job_index,
        index_found=found is not None,
        attempt=batch.attempt if attempt is None else attempt,
        batch_id=batch.batch_id,
        hostname=batch.hostname,
        cpus=batch.cpus,
        requested_memory_bytes=batch.requested_memory_bytes,
        reports=is_own_job or not (batch.rank if rank is None else rank),
    )


def _parse_index(text: str) -> int | None:
    if text.lower() == NO_INDEX:
        return None
    if re.fullmatch(r"[0-9]{1,10}", text) is None or int(text) > MAX_INT32:
        raise ConfigurationError(f"LAMIA_INDEX is neither a number nor {NO_INDEX!r}: {text!r}.")
    return int(text)


def _read_number(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "").strip()
    if not text:
        return None
    if re.fullmatch(r"[0-9]{1,10}", text) is None or int(text) > MAX_INT32:
        raise ConfigurationError(f"{name} is not a number from 0 to {MAX_INT32}: {text!r}.")
    return int(text)


def _make_absolute(path: str) -> str:
    """Return a path that stays the same when the program goes to another directory."""
    try:
        return os.path.join(os.getcwd(), path)
    except OSError:
        return path  # the present directory was deleted


def _default_spool() -> str:
    home = os.path.expanduser("~")
    if _is_writable(home):
        return os.path.join(home, ".lamia-spool")
    # Safe in a shared directory: the spool does not use a directory of another user.
    folders = (os.environ.get("TMPDIR", ""), "/tmp", "/var/tmp")  # noqa: S108
    folder = next(filter(_is_writable, folders), folders[1])
    return os.path.join(folder, f"lamia-spool-{os.getuid()}")


def _is_writable(folder: str) -> bool:
    return os.path.isdir(folder) and os.access(folder, os.W_OK)
