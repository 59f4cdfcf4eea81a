"""Databases that are too old are refused at the start, with a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.harness import environment_with

OLD_SQLITE = os.environ.get("OLD_SQLITE", "")
"""The library of SQLite 3.34 (``libsqlite3.so.0``)."""
START = """import sys, os
# Debian's library has no sqlite3_deserialize, which nobody calls here.
sys.setdlopenflags(os.RTLD_LAZY)
from lamia_gql.commands.cli import main
main()"""


@pytest.mark.skipif(not OLD_SQLITE, reason="OLD_SQLITE names no old SQLite")
@pytest.mark.parametrize("command", [["serve", "--port=0"], ["migrate"], ["recount"]])
def test_a_sqlite_without_returning(command: list[str], bare_sqlite_url: str) -> None:
    """Nothing is started, created or repaired on a SQLite that can't store an event."""
    file = Path(bare_sqlite_url.removeprefix("sqlite:///"))
    if command == ["recount"]:
        file.touch()
    done = subprocess.run(
        [sys.executable, "-c", START, *command],
        env=environment_with({"database_url": bare_sqlite_url}) | {"LD_PRELOAD": OLD_SQLITE},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "SQLite 3.34.1 is too old: 3.35 or newer is needed. It belongs to this Python: use another"
        " Python, or PostgreSQL.\n"
    )
    assert not file.exists() or file.stat().st_size == 0
