"""The wheel, installed without Node and without this repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.harness import Server, environment_with

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the contents of the wheel only."""
    folder = tmp_path_factory.mktemp("wheel")
    for command in (
        ["hatchling", "build", "-t", "wheel", "-d", str(folder)],
        ["pip", "install", "-q", "--no-deps", "--no-index", "--target", str(folder / "site")],
    ):
        wheels = map(str, folder.glob("*.whl"))
        done = subprocess.run(
            [sys.executable, "-m", *command, *wheels], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    return folder / "site"


def contents(folder: Path) -> dict[Path, bytes]:
    """The files of a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}


def test_installed_package_has_all_that_it_needs(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It migrates, serves the pages, and its commands find their operations."""
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.chdir(tmp_path)
    where = [sys.executable, "-c", "import lamia_gql; print(lamia_gql.__file__)"]
    assert subprocess.check_output(where, text=True).startswith(str(installed))
    here, there = (folder / "lamia_gql" / "_web" for folder in (ROOT, installed))
    assert contents(here) == contents(there) != {}
    with Server(f"sqlite:///{tmp_path}/lamia.sqlite", tmp_path) as server:
        for page in ("/", "/graphiql"):
            answer = server.get(page)
            assert answer.status_code == 200
            assert "<script" in answer.text
        submitted = subprocess.run(
            [sys.executable, "-m", "lamia_gql", "submit", "--name", "t", "--array", "a:3"],
            env=environment_with({"url": server.url}) | {"PYTHONPATH": os.environ["PYTHONPATH"]},
            capture_output=True,
            text=True,
        )
        assert submitted.returncode == 0, submitted.stderr
        assert "LAMIA_TASK=t" in submitted.stdout
