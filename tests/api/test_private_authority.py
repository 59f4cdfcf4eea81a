"""A server with a certificate that no public authority has issued."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.certificate import make_certificate
from tests.support.harness import Server, environment_with
from tests.support.nginx import nginx
from tests.support.recipes import find_recipe


def test_recipe(sqlite_server: Server, tmp_path: Path) -> None:
    """With the variable of the recipe, commands, curl and jobs reach it; without, none does."""
    sqlite_server.create("night", {"name": "merge"})
    certificate = make_certificate(tmp_path)
    programs = {"lamia-gql": "lamia_gql", "lamia-job": "lamia_gql.client"}
    for name, module in programs.items():
        (tmp_path / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
    (tmp_path / "merge.sh").write_text("#!/bin/sh\n")
    for name in (*programs, "merge.sh"):
        (tmp_path / name).chmod(0o755)
    environ = environment_with({"spool": str(tmp_path / "spool")})
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"):
        environ.pop(name, None)
    environ["PATH"] = f"{tmp_path}:{environ['PATH']}"
    with nginx(tmp_path, f"location / {{ proxy_pass {sqlite_server.url}; }}", certificate) as url:
        recipe = find_recipe("recipes", "private-ca").replace("https://monitor.example.org", url)

        def follow(script: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                ["sh", "-c", script],
                env=environ,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )

        refused = follow(recipe.replace("SSL_CERT_FILE=", "NOTHING="))
        assert "CERTIFICATE_VERIFY_FAILED" in refused.stderr
        assert "curl: (60)" in refused.stderr
        assert sqlite_server.process("night", "merge")["state"] == "PENDING"
        done = follow(recipe.replace("/shared/our-ca.pem", str(certificate[0])))
        assert (done.returncode, done.stderr) == (0, "")
        assert "1 task" in done.stdout
        assert '{"status":"ready"}' in done.stdout
    assert sqlite_server.process("night", "merge")["state"] == "SUCCEEDED"
