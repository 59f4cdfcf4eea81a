"""What addresses mean on which servers listen."""

from __future__ import annotations

import ipaddress


def is_loopback(name: str) -> bool:
    """Whether only this machine can reach a server that listens on this address or name."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
