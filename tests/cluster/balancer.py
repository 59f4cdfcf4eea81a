"""A HAProxy, and its switches."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.cluster.daemons import Daemons
from tests.support.tools import find_program

START_TIMEOUT_S = 20.0
COMMON = """\
global
  stats socket {switches} level admin
defaults
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  timeout check 3s
"""


class Balancer:
    """A running HAProxy.

    Args:
        daemons: what runs it.
        folder: for its files; short, because the path of a socket may not be long.
        name: what it is called.
        sections: its configuration, beside what all have.
    """

    def __init__(self, daemons: Daemons, folder: Path, name: str, sections: str) -> None:
        self._switches = folder / f"{name}.sock"
        configuration = folder / f"{name}.cfg"
        configuration.write_text(COMMON.format(switches=self._switches) + sections)
        program = find_program("haproxy")
        assert program is not None
        daemons.start(name, [program, "-db", "-f", str(configuration)])
        daemons.await_start(name, self._switches.exists, START_TIMEOUT_S)

    def cut(self, section: str, server: str) -> None:
        """Close all connections of a section to a server, and refuse new ones."""
        self._tell(f"disable server {section}/{server}")
        self._tell(f"shutdown sessions server {section}/{server}")

    def connect(self, section: str, server: str) -> None:
        """Undo :meth:`cut`."""
        self._tell(f"enable server {section}/{server}")

    def _tell(self, command: str) -> None:
        with socket.socket(socket.AF_UNIX) as switches:
            switches.connect(str(self._switches))
            switches.sendall(f"{command}\n".encode())
            answer = switches.makefile().read().strip()
        assert answer == "", answer
