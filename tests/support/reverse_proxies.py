"""The configurations of ``deploy/`` for proxies, run by real ones on this machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.certificate import make_certificate
from tests.support.nginx import nginx_command
from tests.support.tools import require
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
NGINX = ROOT / "deploy" / "nginx" / "lamia-gql.conf"
HAPROXY = ROOT / "deploy" / "haproxy" / "haproxy.cfg"
NAME = "lamia.example.org"
SECONDS = 20.0


def here(configuration: Path, *replacements: tuple[str, str]) -> str:
    """A configuration in which texts are replaced, each of which it must contain."""
    text = configuration.read_text()
    for there, instead in replacements:
        assert there in text
        text = text.replace(there, instead)
    return text


def nginx(folder: Path, port: int, *servers: str) -> list[str]:
    """The command that runs the site for nginx before these servers."""
    made, key = make_certificate(folder, f"DNS:{NAME}")
    lines = "\n".join(f"server {server.removeprefix('http://')} max_fails=0;" for server in servers)
    site = here(
        NGINX,
        ("listen 80;", f"listen 127.0.0.3:{port};"),
        ("listen 443 ", f"listen 127.0.0.1:{port} "),
        (f"/etc/nginx/tls/{NAME}.crt", str(made)),
        (f"/etc/nginx/tls/{NAME}.key", str(key)),
        ("server 127.0.0.1:8088 max_fails=0;", lines),
    )
    site = re.sub(r" *listen \[::\].*\n", "", site)
    return nginx_command(folder, site)


def haproxy_site(servers: Sequence[str], *replacements: tuple[str, str]) -> str:
    """The site for HAProxy before these servers, whose names are their numbers, from 0.

    Args:
        servers: their addresses.
        replacements: texts of the site, and what is to take their place.
    """
    lines = "".join(
        f"    server {number} {server.removeprefix('http://')}\n"
        for number, server in enumerate(servers)
    )
    site = here(
        HAPROXY,
        ("    user haproxy\n    group haproxy\n    maxconn 20000\n", "    maxconn 400\n"),
        ("log /dev/log local0", "log stderr local0"),
        *replacements,
    )
    return re.sub(r"( *server \w+ 192.*\n)+", lines, site)


def haproxy(folder: Path, port: int, *servers: str) -> list[str]:
    """The command that runs the site for HAProxy before these servers."""
    made, key = make_certificate(folder, f"DNS:{NAME}")
    both = folder / "both.pem"
    both.write_text(made.read_text() + key.read_text())
    config = folder / "haproxy.cfg"
    config.write_text(
        haproxy_site(
            servers,
            ("bind :80\n", f"bind 127.0.0.3:{port}\n"),
            ("bind :443 ", f"bind 127.0.0.1:{port} "),
            (f"/etc/haproxy/{NAME}.pem", str(both)),
        )
    )
    return [require(shutil.which("haproxy"), "Debian's haproxy"), "-f", str(config)]


@contextmanager
def running(command: list[str], folder: Path, url: str) -> Iterator[None]:
    """Run a proxy."""
    log = folder / "proxy.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={"HOME": str(folder), "PATH": ""}
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx.get(f"{url}/readyz", verify=False).status_code == 200
        except httpx.TransportError:
            return False

    try:
        until(answers, log.read_text, SECONDS)
        yield
    finally:
        process.terminate()
        process.wait(SECONDS)
