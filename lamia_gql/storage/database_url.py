"""The address of the database, and the errors of a database that can't be used."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

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


def parse_url(text: str) -> URL:
    """The address with the driver that we use for it.

    Raises :class:`DatabaseURLError` with a sentence for the operator.
    """
    scheme, _, rest = text.partition("://")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        url = None
    if scheme.startswith("postgres") and "@" in (
        rest.partition("?")[0] if url is None else url.host or ""
    ):
        raise DatabaseURLError(
            "The database address has an @ too many: in a user name or a password, write %40."
        )
    if url is None or url.drivername not in DRIVERS:
        name, _, driver = scheme.partition("+")
        raise DatabaseURLError(
            f"The database address must not name the driver {driver}: write {name}://…"
            if driver and name in DRIVERS
            else "The database address must be like sqlite:///lamia.sqlite"
            " or postgresql://user:password@host/name."
        )
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise DatabaseURLError("SQLite needs a file: sqlite:///lamia.sqlite.")
    return url.set(drivername=DRIVERS[url.drivername])
