"""The packages of `integrations/`, as they are published."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "law": ("lamia_law", {"lamia-gql", "law"}),
    "snakemake": (
        "snakemake_logger_plugin_lamia",
        {"lamia-gql", "snakemake-interface-common", "snakemake-interface-logger-plugins"},
    ),
}


@pytest.mark.parametrize("folder", PACKAGES)
def test_wheels(folder: str, tmp_path: Path) -> None:
    """A wheel has the modules, its types and its readme, and depends on little."""
    module, needed = PACKAGES[folder]
    source = tmp_path / folder
    shutil.copytree(ROOT / "integrations" / folder, source)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    [path] = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        [metadata] = [name for name in names if name.endswith("METADATA")]
        described = wheel.read(metadata).decode()
    modules = {f"{module}/{path.name}" for path in (source / module).glob("*.py")}
    assert {*modules, f"{module}/py.typed"} <= names
    requires = [line for line in described.splitlines() if line.startswith("Requires-Dist: ")]
    assert {line.split()[1].split(">")[0] for line in requires} == needed
    assert "docs/" in described


@pytest.mark.parametrize("folder", PACKAGES)
def test_only_the_client_is_used(folder: str) -> None:
    """Whoever has a workflow tool need not install a server."""
    for path in (ROOT / "integrations" / folder).rglob("*.py"):
        imported = [line for line in path.read_text().splitlines() if "lamia_gql" in line]
        assert all(line.startswith("from lamia_gql.client.") for line in imported), path
