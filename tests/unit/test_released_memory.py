"""What unused connections to SQLite keep for later is given back."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any
from weakref import ReferenceType

import pytest
from sqlalchemy import text

from lamia_gql.domain.settings import load
from lamia_gql.storage import unused_connections
from lamia_gql.storage.engine import create_engine


def closed_cursors(driver: Any) -> list[Any]:
    """The references to closed cursors that the driver keeps."""
    return [
        entry
        for kept in gc.get_referents(driver)
        if isinstance(kept, list)
        for entry in kept
        if type(entry) is ReferenceType and entry() is None
    ]


def test_connections_give_back_memory_once_they_are_unused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was used just now keeps what it has: it is faster with it."""
    engine = create_engine(load(database_url=f"sqlite:///{tmp_path}/lamia.sqlite"))
    ran: list[str] = []
    with engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        for _ in range(150):
            connection.execute(text("SELECT 1"))
        driver.set_trace_callback(ran.append)
    before = closed_cursors(driver)
    unused_connections.release_memory(engine)
    assert "PRAGMA shrink_memory" not in ran
    assert len(closed_cursors(driver)) >= len(before)
    monkeypatch.setattr(unused_connections, "UNUSED_S", 0.0)
    unused_connections.release_memory(engine)
    assert "PRAGMA shrink_memory" in ran
    assert len(before) > 100
    after = set(map(id, closed_cursors(driver)))
    assert not any(id(reference) in after for reference in before)
    engine.dispose()
