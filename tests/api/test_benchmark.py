"""The benchmark runs, on both engines, to its end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bench.table import parse

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "RESULTS.md"
SOME = [3, 7, 10]
"""Quick ones on both engines; lines 1 and 2 need PostGraphile, which comes from npm."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_quick_run_measures_lines_and_keeps_the_results() -> None:
    """It prints what it measured, and writes nothing."""
    before = RESULTS.read_text()
    # Not below pytest's own folder: PostgreSQL runs as a user that may not enter there.
    with tempfile.TemporaryDirectory(prefix="lamia-bench-") as folder:
        done = subprocess.run(
            [sys.executable, "-m", "bench", "--quick", *map(str, SOME)],
            cwd=ROOT,
            env=os.environ | {"XDG_CACHE_HOME": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    found = parse(done.stdout)
    assert [number for number, row in found.items() if row[3] != "?"] == SOME
    assert RESULTS.read_text() == before
