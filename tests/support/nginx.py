"""A real nginx before a server."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_ports, listens
from tests.support.tools import require
from tests.support.waiting import until

TIMEOUT_S = 20.0
KINDS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
BALANCED = """proxy_pass http://servers; proxy_http_version 1.1;
  proxy_set_header Host $http_host; proxy_set_header Connection $connection_upgrade;"""
UPGRADED = "proxy_set_header Upgrade $http_upgrade;"


@contextmanager
def balancer(
    folder: Path, servers: Iterable[str], *, passes_websockets: bool = True
) -> Iterator[str]:
    """A running nginx that balances between servers, which it tries each time; its address."""
    listed = " ".join(f"server {url.removeprefix('http://')} max_fails=0;" for url in servers)
    upstream = f"""map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
      upstream servers {{ {listed} keepalive 64; keepalive_timeout 15s; }}"""
    upgraded = UPGRADED if passes_websockets else ""
    with nginx(folder, f"location / {{ {BALANCED} {upgraded} }}", upstream=upstream) as url:
        yield url


def nginx_command(folder: Path, blocks: str) -> list[str]:
    """The command that runs nginx with these blocks of ``http``; its files are in a folder."""
    program = require(shutil.which("nginx"), "Debian's nginx")
    paths = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in KINDS)
    config = folder / "nginx.conf"
    config.write_text(
        f"""daemon off; master_process off; pid {folder}/pid; error_log stderr; events {{}}
        http {{ access_log off; {paths} {blocks} }}"""
    )
    return [program, "-e", "stderr", "-c", str(config)]


@contextmanager
def nginx(
    folder: Path,
    locations: str,
    certificate: tuple[Path, Path] | None = None,
    *,
    upstream: str = "",
) -> Iterator[str]:
    """A running nginx with these blocks ``location``, and blocks ``upstream``; its address.

    With a certificate and its key it speaks HTTPS.
    """
    [port] = free_ports(1)
    tls = ""
    if certificate is not None:
        tls = " ssl; ssl_certificate {}; ssl_certificate_key {}".format(*certificate)
    server = f"server {{ listen 127.0.0.1:{port}{tls}; {locations} }}"
    command = nginx_command(folder, f"{upstream} {server}")
    log = folder / "nginx.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)

    def is_ready() -> bool:
        assert process.poll() is None, log.read_text()
        return listens(port)

    try:
        until(is_ready, log.read_text, TIMEOUT_S)
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)
