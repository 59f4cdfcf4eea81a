"""One browser for all of these tests: none of them may use asyncio while it runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import launch_chromium


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A Chromium for the tests of this folder that a process runs without others between."""
    with launch_chromium() as browser:
        yield browser
