"""The machine and the versions that results belong to."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from bench import postgraphile
from bench.databases import PostgresCluster


def describe(postgresql: PostgresCluster) -> str:
    """What the machine is, and what runs on it, as a list in Markdown."""
    versions = {
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "PostgreSQL": postgresql.version,
        "Node.js": postgraphile.node_version(),
        "PostGraphile": postgraphile.version() or "not installed",
        "Linux": platform.release(),
    }
    cores = len(os.sched_getaffinity(0))
    facts = [
        f"{now()} UTC, revision {_revision()}, load {os.getloadavg()[0]:.1f} at the start",
        f"{cores} cores of {_cpu()}, {_memory_gib():.0f} GiB of memory",
        ", ".join(f"{name} {version}" for name, version in versions.items()),
    ]
    return "".join(f"- {fact}\n" for fact in facts)


def now() -> str:
    """The time, in UTC."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M}"


def _cpu() -> str:
    found = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _revision() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607
        cwd=Path(__file__).parent,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()
