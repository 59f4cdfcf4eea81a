"""Batch systems that the tests of one module share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.condor_pool import CondorPool, require_condor


@pytest.fixture(scope="module")
def condor_pool() -> Iterator[CondorPool]:
    """A personal pool of HTCondor."""
    require_condor()
    # Its user may not enter pytest's own folder.
    with tempfile.TemporaryDirectory(prefix="lamia-condor-") as folder:
        Path(folder).chmod(0o755)
        with CondorPool(Path(folder)) as pool:
            yield pool
