"""A certificate of this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support.tools import require


def make_certificate(folder: Path, *names: str) -> tuple[Path, Path]:
    """A self-signed certificate for this machine and these names, and its key."""
    require(shutil.which("openssl"), "openssl")
    made, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test"]
    known = ",".join(("DNS:localhost", "IP:127.0.0.1", *names))
    options = ["-days", "2", "-addext", f"subjectAltName={known}"]
    subprocess.run(
        [*command, *options, "-keyout", key, "-out", made], check=True, capture_output=True
    )
    return made, key
