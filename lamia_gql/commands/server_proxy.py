"""The proxy through which the commands reach a server: the same one as for ``lamia-job``."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import httpx

from lamia_gql.client.proxies import Proxy, find_proxy


def find_server_proxy(url: str) -> Proxy | None:
    """Return the proxy for an address. Raises ValueError if it is of no supported kind."""
    return find_proxy(os.environ, urlsplit(url))


def proxy_options(proxy: Proxy | None) -> dict[str, Any]:
    """Return the arguments by which a client of HTTPX uses this proxy, or none."""
    if proxy is None:
        # Else it would read the variables itself, and understand them in another way.
        return {"mounts": dict.fromkeys(("all://", "http://", "https://"))}
    return {"proxy": httpx.Proxy(str(proxy), headers=proxy.headers)}
