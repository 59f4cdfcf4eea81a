"""Clients of Python that generate code from the schema: ariadne-codegen and sgqlc."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.harness import Server
from tests.support.own_environment import own_environment

FOLDER = Path(__file__).parent
ENVIRONMENT = FOLDER / ".venv"

ARIADNE_CODEGEN = """
[tool.ariadne-codegen]
schema_path = "../../schema/schema.graphql"
queries_path = "{folder}/operations"
target_package_name = "lamia_client"
target_package_path = "{folder}"

[tool.ariadne-codegen.scalars.DateTime]
type = "datetime.datetime"
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module", autouse=True)
def environment() -> None:
    """The clients' own environment."""
    own_environment(FOLDER, "clients.lock")


def _run(program: str, *arguments: str, path: Path | None = None) -> str:
    """The output of a program, which must succeed; ``path`` is added to Python's path."""
    given = os.environ if path is None else os.environ | {"PYTHONPATH": str(path)}
    done = subprocess.run(
        [program, *arguments],
        cwd=FOLDER,
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _use(script: str, server: Server, path: Path) -> Any:
    """What a script tells that uses the server by the code generated at ``path``."""
    server.create("t", {"name": "a", "jobCount": 5})
    python = str(ENVIRONMENT / "bin" / "python")
    told = json.loads(_run(python, script, f"{server.url}/graphql", path=path))
    assert "Traceback" not in server.log()
    return told


def test_ariadne_codegen(sqlite_server: Server, tmp_path: Path) -> None:
    """It generates a client from our operations, which queries, mutates and subscribes."""
    config = tmp_path / "pyproject.toml"
    config.write_text(ARIADNE_CODEGEN.format(folder=tmp_path))
    for operations in (FOLDER.parents[1] / "schema" / "operations", FOLDER / "operations"):
        shutil.copytree(operations, tmp_path / "operations", dirs_exist_ok=True)
    _run(str(ENVIRONMENT / "bin" / "ariadne-codegen"), "--config", str(config), "client")
    told = _use("use_ariadne_codegen.py", sqlite_server, tmp_path)
    assert told == {
        "query": {"name": "t", "state": "PENDING"},
        "mutation": {"duplicate": False, "userErrors": []},
        "indices": "1",
        "subscription": "STARTED",
        "hours": 0.0,
    }


def test_sgqlc(sqlite_server: Server, tmp_path: Path) -> None:
    """It generates Python classes from the introspected schema, and queries and mutates by them."""
    described, module = tmp_path / "schema.json", tmp_path / "lamia_schema.py"
    python, url = str(ENVIRONMENT / "bin" / "python"), f"{sqlite_server.url}/graphql"
    _run(python, "-m", "sgqlc.introspection", url, str(described))
    _run(str(ENVIRONMENT / "bin" / "sgqlc-codegen"), "schema", str(described), str(module))
    told = _use("use_sgqlc.py", sqlite_server, tmp_path)
    assert told == {
        "query": {"name": "t", "state": "PENDING"},
        "jobs": [0, 1],
        "mutation": "STARTED",
    }
