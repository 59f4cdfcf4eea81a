"""Where events go and whose they are, from arguments or the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from lamia_gql.client.batch_systems import MAX_NUMBER, find_attempt, find_index

NO_INDEX = "none"
"""What a job of a solitary process gives for its index."""
ADDRESS = r"https?://([^\s/?#:@\[\]]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?(/[^\s?#]*)?"
LARGEST_PORT = 65535


class AddressError(ValueError):
    """An address that is missing or makes no sense; one sentence for people."""


class Server(NamedTuple):
    """A server and what it takes to speak to it."""

    url: str
    """The full address of its GraphQL."""
    token: str | None
    token_file: str | None
    spool: str
    """The folder for what can't be sent."""


class Member(NamedTuple):
    """Whose events they are."""

    task: str
    process: str
    job_index: int | None
    index_found: bool
    attempt: int


def find_server(
    environ: Mapping[str, str], *, url: str | None = None, spool: str | None = None
) -> Server:
    """The server of ``LAMIA_URL``, ``LAMIA_TOKEN``, ``LAMIA_TOKEN_FILE`` and ``LAMIA_SPOOL``.

    Raises :class:`AddressError`.
    """
    url = url or environ.get("LAMIA_URL")
    if not url:
        raise AddressError("LAMIA_URL is not set.")
    url = url.strip().rstrip("/")
    found = re.fullmatch(ADDRESS, url, re.IGNORECASE)
    if found is None or int(found["port"] or 0) > LARGEST_PORT:
        raise AddressError(f"LAMIA_URL is not an address: {url!r}.")
    return Server(
        url=url if url.endswith("/graphql") else f"{url}/graphql",
        token=environ.get("LAMIA_TOKEN") or None,
        token_file=environ.get("LAMIA_TOKEN_FILE") or None,
        spool=spool or environ.get("LAMIA_SPOOL") or _default_spool(),
    )


def find_member(
    environ: Mapping[str, str],
    *,
    task: str | None = None,
    process: str | None = None,
    index: int | str | None = None,
) -> Member:
    """The job of ``LAMIA_TASK``, ``LAMIA_PROCESS`` and ``LAMIA_INDEX``, or as the arguments say.

    An index that is not given is what the batch system says. Raises :class:`AddressError`.
    """
    task = task or environ.get("LAMIA_TASK")
    process = process or environ.get("LAMIA_PROCESS")
    if not task or not process:
        missing = " and ".join(
            name for name, value in (("LAMIA_TASK", task), ("LAMIA_PROCESS", process)) if not value
        )
        raise AddressError(f"{missing} not set.")
    given = str(environ.get("LAMIA_INDEX", "") if index is None else index).strip()
    found = find_index(environ) if not given else None
    return Member(
        task=task,
        process=process,
        job_index=_parse_index(given) if given else found,
        index_found=found is not None,
        attempt=find_attempt(environ),
    )


def _parse_index(text: str) -> int | None:
    if text.lower() == NO_INDEX:
        return None
    if re.fullmatch(r"[0-9]{1,10}", text) is None or int(text) > MAX_NUMBER:
        raise AddressError(f"LAMIA_INDEX is neither a number nor {NO_INDEX!r}: {text!r}.")
    return int(text)


def _default_spool() -> str:
    home = os.path.expanduser("~")
    if os.path.isdir(home) and os.access(home, os.W_OK):
        return os.path.join(home, ".lamia-spool")
    # The spool refuses a folder of another user.
    return os.path.join(os.environ.get("TMPDIR", "/tmp"), f"lamia-spool-{os.getuid()}")  # noqa: S108
