"""The package as users install it: contents of the wheel, declared dependencies, lock files."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import httpx
import pytest

from tests.support.harness import Server, environment_with
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
IMPORTED_BY_UVICORN = {"uvloop"}
"""Dependencies that the package does not import itself."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the contents of the wheel and nothing else."""
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
    """The files below a folder, by their relative paths."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}


def test_installed_package_has_all_that_it_needs(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It migrates, serves both pages, and its commands find their stored operations."""
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


def run(*command: str, cwd: Path = ROOT) -> None:
    """Run a command, which must succeed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_wheel_and_source_archive_serve_in_an_empty_environment(tmp_path: Path) -> None:
    """With the locked packages only, from an archive without the repository around it."""
    run(sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path))
    run(sys.executable, "-m", "venv", str(tmp_path / "venv"))
    folder = tmp_path / "venv" / "bin"
    pip = (str(folder / "python"), "-m", "pip", "install", "-q", "--no-deps")
    run(*pip, "--require-hashes", "-r", "requirements/run.lock")
    for pattern in ("*.tar.gz", "*.whl"):
        (archive,) = tmp_path.glob(pattern)
        # The build backend is one of the locked packages.
        run(*pip, "--no-build-isolation", "--force-reinstall", str(archive), cwd=tmp_path)
        check_that_it_serves(folder / "lamia-gql", tmp_path)


def check_that_it_serves(program: Path, folder: Path) -> None:
    """Start an installed server in a folder; it must be ready, and have its pages."""
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(program), "serve", "--port", "0"],
            cwd=folder,
            env=environment_with({}),
            stdout=output,
            stderr=output,
        )

    def address() -> str:
        found = re.search(r"on (http\S+)/graphql", log.read_text())
        return "" if found is None else found[1]

    try:
        url = until(address, log.read_text)
        until(lambda: answers(f"{url}/readyz"), log.read_text)
        assert "<script" in httpx.get(f"{url}/graphiql", verify=False).text
    finally:
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    """Whether an address answers."""
    try:
        return httpx.get(url, verify=False).status_code == 200
    except httpx.TransportError:
        return False


def imported() -> Iterator[str]:
    """The top-level names of what the package and its migrations import."""
    for path in (*ROOT.glob("lamia_gql/**/*.py"), *ROOT.glob("alembic/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.split(".")[0]


def test_what_is_imported_is_declared() -> None:
    """Every imported distribution is a declared dependency, and nothing else is declared."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    requirements = [*project["dependencies"], *chain.from_iterable(extras)]
    declared = {re.split(r"[^\w-]", requirement)[0] for requirement in requirements}
    distributions = packages_distributions()
    libraries = set(imported()) - sys.stdlib_module_names - {"lamia_gql"}
    found: set[str] = set()
    for library in libraries:
        # Several distributions may share a name, as OpenTelemetry's do.
        names = {name.lower().replace("_", "-") for name in distributions[library]}
        assert names & declared, library
        found |= names & declared
    assert found == declared - IMPORTED_BY_UVICORN


@pytest.mark.parametrize("name", ["run", "node"])
def test_the_development_lock_contains_the_others(name: str) -> None:
    """The locks agree in versions and hashes, so one environment can serve both purposes."""

    def pins(lock: str) -> set[str]:
        text = (ROOT / "requirements" / f"{lock}.lock").read_text()
        return set(re.split(r"\n(?=\w)", text.strip()))

    assert pins(name) <= pins("develop")
    assert len(pins(name)) < len(pins("develop"))
