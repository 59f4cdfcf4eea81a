"""Virtual environments of their own, for packages that can't be installed beside ours."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[2] / "requirements"


def own_environment(folder: Path, lock_name: str) -> Path:
    """The environment in a folder, with what a lock file pins; made once for all test workers.

    Args:
        folder: the folder of the tests, which gets a ``.venv``.
        lock_name: the name of the file in ``requirements``.
    """
    environment = folder / ".venv"
    stamp = environment / ".installed"
    path = REQUIREMENTS / lock_name
    with path.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = hashlib.sha256(lock.read()).hexdigest()
        if not (stamp.exists() and stamp.read_text() == wanted):
            _run(sys.executable, "-m", "venv", "--clear", str(environment))
            install = ("-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps")
            _run(str(environment / "bin" / "python"), *install, "-r", str(path))
            stamp.write_text(wanted)
    return environment


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
