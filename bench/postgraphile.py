"""PostGraphile, a generic tool that answers GraphQL from the same PostgreSQL."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import orjson

FOLDER = Path(__file__).parent / "peer"
PACKAGE = FOLDER / "node_modules" / "postgraphile"
NODE = str(Path(sys.executable).with_name("node"))
"""The Node.js of the development environment."""
START_TIMEOUT_S = 60.0


def node_version() -> str:
    """The version of Node.js."""
    done = subprocess.run([NODE, "--version"], check=True, capture_output=True, text=True)
    return done.stdout.strip().removeprefix("v")


def version() -> str | None:
    """The installed version; None if it is not installed."""
    described = PACKAGE / "package.json"
    return str(orjson.loads(described.read_bytes())["version"]) if described.exists() else None


@contextmanager
def postgraphile(database_url: str) -> Iterator[str]:
    """The address of PostGraphile on this database; ``make bench`` installs it."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"PEER_DATABASE": database_url, "PEER_PORT": str(port)}
    production = {"NODE_ENV": "production", "GRAPHILE_ENV": "production"}
    process = subprocess.Popen(
        [NODE, str(PACKAGE / "dist" / "cli-run.js"), "-C", "graphile.config.mjs"],
        cwd=FOLDER,
        env=os.environ | settings | production,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert process.poll() is None, "PostGraphile has ended"
                assert time.monotonic() < deadline, "PostGraphile does not serve"
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        # The command is a process of its own beside the one that serves.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
