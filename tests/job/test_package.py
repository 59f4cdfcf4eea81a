"""lamia-job needs only the standard library, runs on old Pythons, and imports quickly."""

from __future__ import annotations

import ast
import json
import os
import resource
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lamia_gql.client import server_connection
from tests.support.harness import Server, environment_with
from tests.support.job_side import (
    ROOT,
    FaultyServer,
    build_pyz,
    job_environment,
    run_lamia_job,
    spooled_events,
    stored_event_classes,
)
from tests.support.waiting import until

CLIENT = ROOT / "lamia_gql" / "client"
SOURCES = [*sorted(CLIENT.glob("*.py")), ROOT / "lamia_gql" / "__init__.py"]
OLDEST = (3, 9)


def _runs(path: str) -> bool:
    return subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0


def extremes() -> set[str]:
    """The Python of the tests, and the oldest and newest supported ones on this machine.

    No package index has a Python 3.9, so that it is none of what the tests require.
    """
    found: dict[str, str] = {}
    for minor in range(OLDEST[1], 20):
        name = f"python3.{minor}"
        places = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/{name}"))
        for path in (*map(str, places), shutil.which(name)):
            if path and _runs(path):
                found.setdefault(name, path)
    others = list(found.values())
    return {sys.executable, *others[:1], *others[-1:]}


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The single file, as it is built for nodes."""
    return build_pyz(tmp_path_factory.mktemp("pyz"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_only_the_standard_library(source: Path) -> None:
    """No module imports anything but the standard library and its neighbours."""
    tree = ast.parse(source.read_text(), feature_version=OLDEST)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            modules = [node.module or ""]
        else:
            continue
        for module in modules:
            known = module.partition(".")[0] in sys.stdlib_module_names
            assert known or module == "lamia_gql" or module.startswith("lamia_gql.client"), module


def test_nothing_newer_than_the_oldest_python() -> None:
    """The code uses nothing newer than Python 3.9."""
    vermin = str(Path(sys.executable).with_name("vermin"))
    command = [vermin, "--no-tips", "--violations", "-t=3.9-", *map(str, SOURCES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_old_and_new_pythons_run_the_single_file(
    sqlite_server: Server, tmp_path: Path, pyz: Path
) -> None:
    """The single file works with any Python from 3.9 on."""
    sqlite_server.create("t", {"name": "p"})
    copied = Path(shutil.copy(pyz, tmp_path / "lamia-job.pyz"))
    environ = job_environment(sqlite_server.url, tmp_path)
    options = ("--beat", "0.3", "--progress-regex", "event ([0-9]+)")
    known = 0
    for python in extremes():
        strict = [python, "-I", "-W", "error", str(copied)]

        def run(*arguments: str, strict: list[str] = strict) -> tuple[int, bytes, bytes]:
            done = subprocess.run(
                [*strict, *arguments], env=environ, cwd="/", capture_output=True, check=False
            )
            return done.returncode, done.stdout, done.stderr

        go_on = tmp_path / "go on"
        go_on.unlink(missing_ok=True)
        script = f"echo event 7; while [ ! -e '{go_on}' ]; do sleep 0.1; done; exit 3"
        process = subprocess.Popen(
            [*strict, "run", *options, "--", "sh", "-c", script],
            env=environ,
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        until(
            lambda: {"BEAT", "PROGRESS"} < set(stored_event_classes(sqlite_server)[known:]),  # noqa: B023
            "a beat and the progress",
        )
        go_on.touch()
        assert process.communicate() == (b"event 7\n", b"")
        assert process.returncode == 3
        done = run("emit", "DONE", "--progress", "100", "--payload", '{"by": "hand"}')
        assert done == (0, b"", b"")
        assert run("flush") == (0, b"0 events sent, 0 refused, 0 files left.\n", b"")
        found = stored_event_classes(sqlite_server)[known:]
        known += len(found)
        assert found[0] == "STARTED"
        assert {"BEAT", "PROGRESS"} < set(found)
        assert found[-2:] == ["FAILED", "DONE"]


def test_all_pythons_understand_the_same_times(tmp_path: Path, pyz: Path) -> None:
    """An event waits for its task, in whatever form its time was given."""
    now = datetime.now(UTC)
    times = [now.isoformat()[:19] + rest for rest in ("Z", ".123456789Z", "+0000", ",1-00:00", "")]
    lines = "\n".join(json.dumps({"eventClass": "BEAT", "sentAt": time}) for time in times)
    with FaultyServer("TASK_NOT_FOUND") as server:
        for python in extremes():
            folder = tmp_path / python.replace("/", "-")
            done = subprocess.run(
                [python, str(pyz), "emit", "--batch"],
                env=job_environment(server.url, folder),
                input=lines.encode(),
                capture_output=True,
                check=False,
            )
            assert done.stderr == b"lamia-job: No. Kept for later.\n"
            assert sorted(event["sentAt"] for event in spooled_events(folder)) == sorted(times)


@pytest.mark.parametrize("module", ["zlib", "ssl"])
def test_python_that_lacks_a_module(tmp_path: Path, module: str) -> None:
    """With a Python that lacks a module, the program still runs, with its exit code."""
    source = f"""
import sys
sys.modules[{module!r}] = None
from lamia_gql.client.__main__ import main
main(["run", "--", "sh", "-c", "exit 3"])
"""
    environ = job_environment("http://127.0.0.1:1", tmp_path, PYTHONPATH=ROOT)
    command = [sys.executable, "-S", "-c", source]
    done = subprocess.run(command, env=environ, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (3, b""), done.stderr


@pytest.mark.parametrize("last", ["job.done()", "atexit.register(job.done)"])
def test_end_of_a_python(tmp_path: Path, last: str) -> None:
    """Events at interpreter exit, when no thread can start, are sent or spooled."""
    source = f"import atexit; from lamia_gql.client import Job; job = Job(); {last}"
    for python in extremes():
        with FaultyServer("good") as server:
            environ = job_environment(server.url, tmp_path, PYTHONPATH=ROOT)
            command = [python, "-B", "-W", "error", "-c", source]
            done = subprocess.run(command, env=environ, cwd="/", capture_output=True, check=False)
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), python
            if spooled_events(tmp_path):
                assert run_lamia_job(environ, "flush").returncode == 0
            sent = [event["eventClass"] for _headers, batch in server.requests for event in batch]
            assert sent == ["DONE"], python


@pytest.mark.parametrize(
    "source", ["from lamia_gql.client import Job", "import lamia_gql.client.__main__"]
)
def test_quick_to_import(source: str) -> None:
    """The import takes less than 60 ms beyond the interpreter's start.

    Time of the processor: the machine may have other things to do.
    """

    def best(source: str) -> float:
        times = []
        for _ in range(10):
            begin = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", source], cwd=ROOT, check=True)
            end = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime)
        return min(times)

    cost = best(source) - best("pass")
    assert cost < 0.060, f"{cost * 1000:.0f} ms"


def test_program_starts_before_slow_imports(tmp_path: Path) -> None:
    """Slow imports come after the start of the wrapped program."""
    source = """
import subprocess, sys
class Started(Exception):
    pass
def start(*arguments, **options):
    raise Started
subprocess.Popen = start
from lamia_gql.client.__main__ import main
try:
    main(["run", "--beat", "1", "--progress-regex", "x", "--", "true"])
except Started:
    print(*sorted(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", source],
        cwd=ROOT,
        env=job_environment("http://127.0.0.1:1", tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    there = set(done.stdout.split())
    assert "lamia_gql.client.wrapper" in there
    late = {"http.client", "ssl", "json", "datetime", "typing", "shutil", "lamia_gql.client.job"}
    assert late & there == set()


def test_import_brings_no_heavy_modules() -> None:
    """Slow modules are imported in the background, or not at all."""
    source = "import sys; from lamia_gql.client import Job; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=ROOT,
        env=environment_with({}) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    heavy = {
        "http.client",
        "ssl",
        "email",
        "asyncio",
        "subprocess",
        "urllib.request",
        "dataclasses",
    }
    assert heavy & set(done.stdout.split()) == set()


def test_document_is_the_published_one() -> None:
    """The operation built into the single file is the published one."""
    published = ROOT / "schema" / "operations" / "submit_events.graphql"
    assert published.read_text() == server_connection.DOCUMENT


def test_single_file_needs_no_setup(pyz: Path) -> None:
    """The single file is built by zipapp alone, is executable, and prints its version."""
    assert os.access(pyz, os.X_OK)
    done = subprocess.run([sys.executable, pyz, "--version"], capture_output=True, check=True)
    assert done.stdout.startswith(b"lamia-job ")
