"""The tests themselves, started as a shell starts what runs in background."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASK = (
    "import subprocess, tests.conftest; subprocess.run(['sh', '-c', 'kill -INT $$; echo ignored'])"
)


@pytest.mark.slow
def test_programs_of_background_tests_get_sigint() -> None:
    """Programs that tests start can be interrupted, although the shell has SIGINT ignored."""
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert done.stdout == ""
