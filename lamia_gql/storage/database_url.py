"""The address of the database, and the errors of a database that can't be used."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from lamia_gql.domain.settings import Settings

DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}
"""The driver that we use, by how an address may begin."""


class DatabaseURLError(ValueError):
    """The database address is not one that this server can use."""


class UnusableDatabase(RuntimeError):  # noqa: N818  (it says what is the case)
    """The database can't be used, or not now; a sentence for the operator says why."""


class DatabaseTooOld(UnusableDatabase):
    """The version of SQLite or of PostgreSQL is too old."""

    def __init__(
        self, name: str, version: Iterable[object], needed: Iterable[object], advice: str
    ) -> None:
        found, first = (".".join(map(str, one)) for one in (version, needed))
        super().__init__(f"{name} {found} is too old: {first} or newer is needed. {advice}")


SEVERAL_HOSTS = re.compile(
    r"(?P<begin>[^/?]*://(?:[^/?@]*@)?)(?P<hosts>[^/?@]*,[^/?@]*)(?P<end>(?:[/?].*)?)"
)
"""An address with several hosts, as PostgreSQL's own programs take it."""
ONE_HOST = re.compile(r"(?P<host>\[[^\]]+\]|[^:\[\]]+)(?::(?P<port>\d*))?")
"""One of them, with its port, if that is not the usual one."""


def parse_url(text: str, name: str = "The database address") -> URL:
    """The address with the driver that we use for it; errors call it by ``name``.

    Several hosts, as in ``postgresql://user@one,two:5433/name``, become the parameters ``host`` and
    ``port``. Raises :class:`DatabaseURLError` with a sentence for the operator.
    """
    scheme, _, rest = text.partition("://")
    text, parameters = _split_hosts(text)
    try:
        url = make_url(text).update_query_dict(parameters)
    except (ArgumentError, ValueError):  # the latter of a port that is not a number
        url = None
    if scheme.startswith("postgres") and "@" in (
        rest.partition("?")[0] if url is None else url.host or ""
    ):
        raise DatabaseURLError(
            f"{name} has an @ too many: in a user name or a password, write %40."
        )
    if url is None or url.drivername not in DRIVERS:
        engine, _, driver = scheme.partition("+")
        raise DatabaseURLError(
            f"{name} must not name the driver {driver}: write {engine}://…"
            if driver and engine in DRIVERS
            else f"{name} must be like sqlite:///lamia.sqlite"
            " or postgresql://user:password@host/name."
        )
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise DatabaseURLError("SQLite needs a file: sqlite:///lamia.sqlite.")
    return url.set(drivername=DRIVERS[url.drivername])


def session_url(settings: Settings) -> URL:
    """The address for what needs a session: LISTEN, and migrations.

    Raises :class:`DatabaseURLError`.
    """
    url = parse_url(settings.database_url)
    if settings.listen_database_url is None:
        return url
    listening = parse_url(settings.listen_database_url, "The listen_database_url")
    if "sqlite" in (url.get_backend_name(), listening.get_backend_name()):
        raise DatabaseURLError("listen_database_url is for PostgreSQL: SQLite has no LISTEN.")
    return listening


def count_hosts(url: URL) -> int:
    """Of how many hosts the address says that the database may be there."""
    hosts = url.query.get("host", url.host or "")
    return len(hosts.split(",") if isinstance(hosts, str) else hosts)


def _split_hosts(text: str) -> tuple[str, dict[str, str]]:
    """The address without its hosts, if it has several, and the parameters that name them."""
    found = SEVERAL_HOSTS.fullmatch(text) if text.startswith("postgres") else None
    if found is None:
        return text, {}
    places = [ONE_HOST.fullmatch(place) for place in found["hosts"].split(",")]
    hosts = [place["host"].strip("[]") for place in places if place]
    ports = [place["port"] or "" for place in places if place]
    if len(hosts) < len(places):
        raise DatabaseURLError(
            "Several hosts in a database address are separated by commas, each with its own port:"
            " postgresql://user:password@one,two:5433/name."
        )
    parameters = {"host": ",".join(hosts)} | ({"port": ",".join(ports)} if any(ports) else {})
    return found["begin"] + found["end"], parameters
