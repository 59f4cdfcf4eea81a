"""The page for the first hour: each of its lines runs, in the environment of each batch system."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support.batch_systems import install_batch_systems
from tests.support.harness import Server, StartServer, environment_with, run_cli
from tests.support.job_side import ROOT, build_pyz, stored_events

PAGE = (ROOT / "docs" / "start.md").read_text()
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
COMMANDS = {"HTCondor": "condor_submit", "Slurm": "sbatch"}


def blocks(kind: str) -> list[str]:
    """The code blocks of a kind, in order."""
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


class Reader:
    """Somebody who follows the page in one shell, line by line, with one batch system.

    Args:
        server: Has been started as the first lines say.
        token: What the first of them has printed.
        folder: Gets the home directory and the clone.
        system: The batch system, whose parts of the page are read.
        pyz: What `make job` builds.
        indices: The jobs that run as soon as they are submitted.
    """

    def __init__(
        self,
        server: Server,
        token: str,
        folder: Path,
        system: str,
        pyz: Path,
        indices: Iterable[int],
    ) -> None:
        self.home, self._clone = folder / "home", folder / "clone"
        others = {command for name, command in COMMANDS.items() if name != system}
        first, *self._steps = [
            block for block in blocks("sh") if not any(command in block for command in others)
        ]
        assert first == (
            "(umask 077; make -s token > ~/.lamia-token)\nLAMIA_HOST=0.0.0.0 make run\n"
        )
        self.home.mkdir()
        (self.home / ".lamia-token").write_text(token)
        self._port = server.url.rsplit(":", 1)[1]
        self._clone.mkdir()
        (self._clone / ".venv").symlink_to(sys.prefix)
        stubs = folder / "bin"
        install_batch_systems(stubs, indices)
        make = stubs / "make"
        make.write_text(f'#!/bin/sh\n[ "$*" = job ] && mkdir dist && cp {pyz} dist\n')
        make.chmod(0o755)
        self._state = folder / "state"
        environ = environment_with({})
        self._state.write_text(f"cd {self._clone}\nexport PATH={stubs}:{environ['PATH']}\n")
        self._environ = environ | {"HOME": str(self.home), "COLUMNS": "200"}

    def go_on(self, last: str) -> str:
        """Run the page up to the block with these words; what that has printed."""
        while True:
            block = self._steps.pop(0)
            if "chmod" in block:
                self._write_files()
            done = self._run(block)
            assert done.returncode == 0, (block, done.stderr)
            if last in block:
                return done.stdout

    def _run(self, block: str) -> subprocess.CompletedProcess[str]:
        script = f"""set -eo pipefail
        . {self._state}
        {block.replace(":8088", f":{self._port}")}
        {{ declare -px; printf 'cd %q\\n' "$PWD"; }} > {self._state}"""
        return subprocess.run(
            ["bash", "-c", script], env=self._environ, capture_output=True, text=True, check=False
        )

    def _write_files(self) -> None:
        """Write the files that the page shows, each with its name in a comment at the top."""
        for kind in ("bash", "toml", "ini"):
            for text in blocks(kind):
                found = re.search(r"^# (\w+\.\w+)$", text, re.MULTILINE)
                assert found, text
                (self.home / "fifty" / found[1]).write_text(text)

    @property
    def has_finished(self) -> bool:
        """Whether the whole page has been read."""
        return not self._steps


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The single file, as it is built for nodes."""
    return build_pyz(tmp_path_factory.mktemp("pyz"))


@pytest.fixture
def token(sqlite_url: str) -> str:
    """What the first line of the page prints."""
    arguments = ("token", "create", "--name", "you", "--role", "admin")
    return run_cli(*arguments, database_url=sqlite_url).stdout.strip()


@pytest.fixture
def network_server(start_server: StartServer, sqlite_url: str, token: str) -> Server:
    """A server as in the first line of the page, which is reached by the name of the machine."""
    try:
        socket.getaddrinfo(socket.getfqdn(), None)
    except OSError:
        pytest.skip("the name of this machine can't be resolved")
    server = start_server(sqlite_url, host="0.0.0.0")
    server.identify(token)
    return server


@pytest.mark.parametrize("system", COMMANDS)
def test_the_first_hour(
    network_server: Server, token: str, tmp_path: Path, system: str, pyz: Path
) -> None:
    """All goes as the page says, from an empty server to one that is empty again."""
    indices = range(50)
    reader = Reader(network_server, token, tmp_path, system, pyz, indices)
    assert reader.go_on("tasks") == "There are no tasks yet.\n"
    reader.go_on(COMMANDS[system])
    assert (reader.home / "fifty" / "fill.49.out").read_text().startswith("job 49 on ")
    found = stored_events(network_server, "fifty")
    assert {event["job"]["index"] for event in found} == set(indices)
    assert {event["hostname"] for event in found} == {socket.gethostname()}
    told = reader.go_on("show")
    assert "unsuccessful fill: 7\n" in told
    assert re.search(r"^fill +7 +failed .* no such file \(exit 3\) *$", told, re.MULTILINE)
    assert reader.go_on("flush") == "0 events sent, 0 refused, 0 files left.\n"

    reader.go_on(COMMANDS[system])
    assert network_server.process("fifty", "fill")["counts"]["done"] == len(indices)
    again = stored_events(network_server, "fifty")[len(found) :]
    assert [(e["job"]["index"], e["eventClass"]) for e in again] == [(7, "STARTED"), (7, "DONE")]
    assert "succeeded" in reader.go_on("watch")

    assert reader.go_on("delete") == "Deleted “fifty”.\n"
    assert reader.has_finished
    assert [path.name for path in reader.home.iterdir()] == [".lamia-token"]
    assert network_server.graphql("{ tasks(first: 1) { totalCount } }")["tasks"]["totalCount"] == 0


@pytest.mark.parametrize("system", COMMANDS)
def test_the_server_is_away_while_jobs_run(
    network_server: Server, token: str, tmp_path: Path, system: str, pyz: Path
) -> None:
    """Their events wait in the home directory, not in what is deleted with a job."""
    reader = Reader(network_server, token, tmp_path, system, pyz, [0, 7])
    reader.go_on("submit fifty.toml")
    network_server.kill()
    reader.go_on(COMMANDS[system])
    assert (reader.home / "fifty" / "fill.0.out").read_text().startswith("job 0 on ")
    network_server.start()
    assert stored_events(network_server, "fifty") == []
    assert reader.go_on("flush") == "4 events sent, 0 refused, 0 files left.\n"
    counts = network_server.process("fifty", "fill")["counts"]
    assert (counts["done"], counts["failed"]) == (1, 1)
