"""A server, started as a user starts it, and what the system knows about its process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

START_TIMEOUT_S = 60.0
POLL_S = 0.005


@dataclass(frozen=True)
class Server:
    """A running server.

    Args:
        url: its address, without a path.
        pid: its process.
        ready_after_s: the time from its start until ``/readyz`` said that it was ready.
    """

    url: str
    pid: int
    ready_after_s: float

    def cpu_s(self) -> float:
        """The CPU time that it has used."""
        return cpu_s(self.pid)

    def resident_bytes(self) -> int:
        """Its resident memory."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return 1024 * int(found[1])


def cpu_s(pid: int) -> float:
    """The CPU time that a process has used, with that of its children that have ended."""
    # The name of the program, in brackets, may contain spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(database_url: str) -> Iterator[Server]:
    """A server on this database, with the default settings."""
    # A user's Python keeps compiled modules: pip makes them.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("LAMIA_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    with tempfile.TemporaryFile() as log:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "lamia_gql", "serve", "--port", "0"],
            env=kept | {"LAMIA_DATABASE_URL": database_url},
            stderr=log,
        )
        try:
            while (url := _ready(log.fileno())) is None:
                assert process.poll() is None, os.pread(log.fileno(), 10_000, 0).decode()
                assert time.perf_counter() < begin + START_TIMEOUT_S, "the server is not ready"
                time.sleep(POLL_S)
            yield Server(url, process.pid, time.perf_counter() - begin)
        finally:
            process.terminate()
            process.wait()


def _ready(log: int) -> str | None:
    """The address of the server that writes this log, once it is ready."""
    found = re.search(rb"on (http://\S+)/graphql", os.pread(log, 10_000, 0))
    if found is not None:
        url = found[1].decode()
        with suppress(urllib.error.URLError), urllib.request.urlopen(f"{url}/readyz"):  # noqa: S310
            return url
    return None
