"""A real nginx before a server."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.browser import require
from tests.support.waiting import until

TIMEOUT_S = 20.0
KINDS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


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
    program = require(shutil.which("nginx"), "Debian's nginx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    paths = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in KINDS)
    tls = ""
    if certificate is not None:
        tls = " ssl; ssl_certificate {}; ssl_certificate_key {}".format(*certificate)
    config = folder / "nginx.conf"
    config.write_text(
        f"""daemon off; master_process off; pid {folder}/pid; error_log stderr; events {{}}
        http {{ access_log off; {paths} {upstream}
          server {{ listen 127.0.0.1:{port}{tls}; {locations} }} }}"""
    )
    log = folder / "nginx.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "-e", "stderr", "-c", str(config)], stdout=output, stderr=output
        )

    def listens() -> bool:
        assert process.poll() is None, log.read_text()
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(listens, log.read_text, TIMEOUT_S)
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)
