"""What `deploy/` has for operators: checked by their tools, and against what it names."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner

from lamia_gql.commands.cli import main
from lamia_gql.domain.settings import Settings
from tests.support.tools import require

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CONTAINER = DEPLOY / "container"
INSTALLED = "/opt/lamia-gql/bin/lamia-gql"
MAX_EXPOSURE = 20
"""In tenths, as systemd-analyze takes it."""


def systemd_analyze(*arguments: str) -> str:
    """What systemd-analyze prints; it must find no fault."""
    program = require(shutil.which("systemd-analyze"), "Debian's systemd")
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_units_are_valid_and_hardened(tmp_path: Path) -> None:
    """systemd-analyze finds no fault, and little that the service could do to its machine."""
    for unit in DEPLOY.glob("systemd/*.s*[te]"):
        # The path of the program must exist.
        text = unit.read_text().replace(INSTALLED, f"{sys.prefix}/bin/lamia-gql")
        (tmp_path / unit.name).write_text(text)
    units = [str(tmp_path / f"lamia-gql.{kind}") for kind in ("service", "socket")]
    assert systemd_analyze("verify", *units) == ""
    told = systemd_analyze("security", "--offline=yes", f"--threshold={MAX_EXPOSURE}", units[0])
    assert re.search(r"exposure level for lamia-gql.service: [01]\.\d", told)


def test_commands_of_the_service_are_ours() -> None:
    """Each command that the unit and the containers run is one of the command line."""
    unit = (DEPLOY / "systemd" / "lamia-gql.service").read_text()
    names = re.findall(rf"^Exec\w+={INSTALLED} (\w+)$", unit, re.MULTILINE)
    assert names == ["migrate", "serve"]
    for name in {*names, *(run["command"][0] for run in compose().values() if "command" in run)}:
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_settings_are_ours() -> None:
    """Each LAMIA_ variable is a setting, or the file of settings."""
    files = [path for path in DEPLOY.rglob("*") if path.is_file()]
    names = {n for file in files for n in re.findall(r"\bLAMIA_([A-Z_]+)\b", file.read_text())}
    assert "DATABASE_URL" in names
    assert {name.lower() for name in names} - {"config"} <= set(Settings.model_fields)


def compose() -> dict[str, Any]:
    """The services of the compose file."""
    services: dict[str, Any] = yaml.safe_load((CONTAINER / "compose.yaml").read_text())["services"]
    return services


def test_containers_name_what_there_is() -> None:
    """Files of the build exist, services know each other, and the server waits for the rest."""
    services = compose()
    for service in services.values():
        if "build" in service:
            context = CONTAINER / service["build"]["context"]
            assert context.resolve() == ROOT
            assert (context / service["build"]["dockerfile"]).is_file()
        for name, on in service.get("depends_on", {}).items():
            healthy = on["condition"] == "service_healthy"
            assert healthy is ("healthcheck" in services[name])
    assert services["server"]["depends_on"] == {
        "migrate": {"condition": "service_completed_successfully"}
    }
    steps = (CONTAINER / "Containerfile").read_text()
    for name in re.findall(r"-r (\S+)", steps):
        assert (ROOT / name).is_file()
    makefile = (ROOT / "Makefile").read_text()
    assert "BUILD=once $(RUN) $(WEB)" in makefile
    for name, target in (("RUN", ".venv/.run"), ("WEB", "lamia_gql/_web/index.html.br")):
        assert f"{name} := {target}\n" in makefile
        assert re.search(rf"BUILD=once .*{re.escape(target)}", steps)


def test_files_that_the_documentation_names_are_there() -> None:
    """A page names no file of `deploy/` that is gone, and each file is named by a page."""
    pages = "".join(page.read_text() for page in ROOT.glob("docs/*.md"))
    named = set(re.findall(r"\bdeploy/[\w./-]*\w", pages))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
    files = {str(path.relative_to(ROOT)) for path in DEPLOY.rglob("*") if path.is_file()}
    assert files <= named
