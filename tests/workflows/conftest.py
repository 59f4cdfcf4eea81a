"""The environment of the workflow tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.own_environment import own_environment


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder with the programs of the workflow tools."""
    return own_environment(Path(__file__).parent, "workflows.lock") / "bin"
