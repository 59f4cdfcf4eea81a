"""A host of its own for programs of a test, which can vanish from the network without a word."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

import pytest

from tests.support.tools import require

FIRST_ADDRESS = IPv4Address("198.18.0.0")
"""Of those that are for such tests, and lead nowhere; four of them for each host."""
MAX_HOSTS = 2**15
PROBE = ["unshare", "--net", "ip", "link", "add", "near", "type", "veth", "peer", "name", "far"]
"""Fails in a container that may not do what is needed."""


class RemoteHost:
    """A network namespace at the other end of a cable.

    Args:
        number: what tells it from others on this machine.
    """

    def __init__(self, number: int) -> None:
        self._name = f"lamia-{number}"
        self._near, self._far = f"lamia{number}n", f"lamia{number}f"
        first = FIRST_ADDRESS + 4 * (number % MAX_HOSTS)
        self.near_address, self.address = str(first + 1), str(first + 2)
        """Our address, and its own."""

    def connect(self) -> None:
        """Make it, with a cable to it."""
        _run(f"netns add {self._name}")
        _run(f"link add {self._near} type veth peer name {self._far} netns {self._name}")
        _run(f"address add {self.near_address}/30 dev {self._near}")
        _run(f"link set {self._near} up")
        for command in (
            f"address add {self.address}/30 dev {self._far}",
            f"link set {self._far} up",
            "link set lo up",
        ):
            _run(f"-n {self._name} {command}")

    def remove(self) -> None:
        """Remove it and its cable, as far as they were made."""
        # Connections that wait for an answer keep the namespace for a while.
        for command in (f"link delete {self._near}", f"netns delete {self._name}"):
            subprocess.run(["ip", *command.split()], check=False)

    def command(self, user: int) -> list[str]:
        """What a command begins with that runs there, as this user."""
        return [
            "nsenter",
            f"--net=/run/netns/{self._name}",
            f"--setuid={user}",
            f"--setgid={user}",
        ]

    def vanish(self) -> None:
        """Let nothing reach it any more, nor anything from it reach us, and nobody be told so."""
        # Else the lack of an answer to ARP would tell. What is sent to an address that is no
        # host's is dropped at the other end.
        shown = subprocess.run(
            ["ip", "-n", self._name, "-brief", "link", "show", "dev", self._far],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        mac = shown.split()[2]
        _run(f"neighbour replace {self.address} lladdr {mac} dev {self._near} nud permanent")
        _run(f"-n {self._name} address flush dev {self._far}")


def _run(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True)


@contextmanager
def remote_host() -> Iterator[RemoteHost]:
    """A host; the test is skipped where the machine can't make one.

    With TESTS_COMPLETE it fails instead, if only root or a program is missing.
    """
    require("root" if os.geteuid() == 0 else None, "root, to make a network namespace")
    require(shutil.which("ip"), "Debian's iproute2")
    if subprocess.run(PROBE, capture_output=True, check=False).returncode:
        pytest.skip("This machine makes no network namespaces, or no cables between them.")
    host = RemoteHost(os.getpid())
    try:
        host.connect()
        yield host
    finally:
        host.remove()
