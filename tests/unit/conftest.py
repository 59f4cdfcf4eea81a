"""What several unit tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lamia_gql.domain.settings import load
from lamia_gql.storage.database import Database
from lamia_gql.storage.migrations import migrate


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database, on either engine."""
    database = Database(load(database_url=database_url))
    migrate(database.engine)
    yield database
    database.close()
