"""What the jobs of a task need in their environment, as shell commands."""

from __future__ import annotations

import ipaddress
import shlex
import socket
from pathlib import Path
from urllib.parse import urlsplit


def format_exports(url: str, task: str, token_file: Path | None) -> str:
    """Return the shell commands that export what the jobs of a task need.

    Args:
        url: The address of the server.
        task: The name of the task.
        token_file: The file with the token of its jobs, if they need one.
    """
    variables = {"LAMIA_URL": url, "LAMIA_TASK": task}
    if token_file is None:
        return _format(variables)
    # The user's own token, which may do more, is not for jobs.
    return "unset LAMIA_TOKEN\n" + _format(variables | {"LAMIA_TOKEN_FILE": str(token_file)})


def _format(variables: dict[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(text)}\n" for name, text in variables.items())


def find_loopback_warning(url: str) -> str | None:
    """Return a warning if an address leads every machine to itself, else None."""
    address = urlsplit(url)
    if not _is_loopback((address.hostname or "").rstrip(".")):
        return None
    port = f":{address.port}" if address.port else ""
    public = address._replace(netloc=f"{socket.gethostname()}{port}").geturl()
    return (
        f"Warning: by LAMIA_URL={url}, jobs on other machines reach only themselves. Let the server"
        f" listen on the network (serve --host 0.0.0.0), and set LAMIA_PUBLIC_URL={public} or"
        " another address by which they reach it."
    )


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
