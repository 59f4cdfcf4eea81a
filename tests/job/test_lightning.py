"""The callback for Lightning, which is played by ``tests.support.stand_in_lightning``."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lamia_gql.client import Job, progress_counter
from lamia_gql.client.shared_job import find_shared_job
from tests.support import stand_in_lightning
from tests.support.harness import Server
from tests.support.job_side import ROOT, FaultyServer, job_environment
from tests.support.stand_in_lightning import Trainer
from tests.support.waiting import until


@pytest.fixture
def lightning(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module of the callback, in a process that uses Lightning; each step is reported."""
    package = ModuleType("lightning.pytorch")
    package.Callback = stand_in_lightning.Callback  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lightning.pytorch", package)
    monkeypatch.setattr(
        progress_counter.ProgressCounter.__init__,
        "__kwdefaults__",
        {"is_count": False, "interval": 0.0},
    )
    yield importlib.import_module("lamia_gql.adapters.lightning")
    del sys.modules["lamia_gql.adapters.lightning"]


def told(server: FaultyServer) -> list[tuple[str, float | None, Any]]:
    """Class, progress and payload of all events that a server has got."""
    return [
        (event["eventClass"], event.get("progress"), event.get("payload"))
        for _headers, batch in server.requests
        for event in batch
    ]


def test_progress_of_a_training(lightning: Any, tmp_path: Path) -> None:
    """The progress is the part of all steps that is done; metrics that are numbers are told."""
    with FaultyServer("good") as server:
        with Job(environ=job_environment(server.url, tmp_path)) as job:
            # The second one is that of the entry point.
            callbacks = [lightning.LamiaCallback(job), lightning.LamiaCallback(job)]
            Trainer(callbacks, max_epochs=2, batches=2).fit()
        found = told(server)
    assert found == [
        ("STARTED", None, None),
        ("READY", None, None),
        ("PROGRESS", 25, {"epoch": 0, "metrics": {"loss": 1}}),
        ("PROGRESS", 50, {"epoch": 0, "metrics": {"loss": 0.5}}),
        ("PROGRESS", 75, {"epoch": 1, "metrics": {"loss": 1 / 3}}),
        ("PROGRESS", 100, {"epoch": 1, "metrics": {"loss": 0.25}}),
        ("DONE", None, None),
    ]


def test_training_ends_when_it_is_enough(
    lightning: Any, sqlite_server: Server, tmp_path: Path
) -> None:
    """An endless training counts its steps, and ends after the epoch in which it is enough."""
    sqlite_server.create("t", {"name": "p", "threshold": 3})

    class Patient(stand_in_lightning.Callback):
        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            until(lambda: job.enough or trainer.global_step < 3, "enough")

    with Job(environ=job_environment(sqlite_server.url, tmp_path)) as job:
        callback = lightning.LamiaCallback(job, is_count=True, stop_when_enough=True)
        trainer = Trainer([Patient(), callback], max_epochs=-1, batches=2)
        trainer.fit()
    assert (trainer.current_epoch, trainer.global_step) == (2, 4)
    assert sqlite_server.process("t", "p")["state"] == "SUCCEEDED"


def test_trainings_that_tell_little(lightning: Any, tmp_path: Path) -> None:
    """Other processes of a training are silent; without a total there are beats."""
    with FaultyServer("good") as server:
        with Job(environ=job_environment(server.url, tmp_path)) as job:
            silent = Trainer([lightning.LamiaCallback(job)], max_epochs=1, batches=1)
            silent.is_global_zero = False
            silent.fit()

            class Unknown(Trainer):
                @property
                def estimated_stepping_batches(self) -> float:
                    raise ValueError("unknown")

            Unknown([lightning.LamiaCallback(job)], max_epochs=1, batches=1).fit()
        assert [name for name, _, _ in told(server)] == ["STARTED", "READY", "BEAT", "DONE"]


def test_lightning_finds_it_in_a_job_only(
    lightning: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry points give a callback where the variables of a job are set, else none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name in lightning.NAMES:
        target = project["entry-points"][f"{name}.callbacks_factory"]["lamia"]
        assert target == "lamia_gql.adapters.lightning:make_callbacks"
    for name in lightning.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert lightning.make_callbacks() == []
    with FaultyServer("good") as server:
        for name, value in job_environment(server.url, tmp_path).items():
            monkeypatch.setenv(name, value)
        find_shared_job.cache_clear()
        for _ in range(2):
            Trainer(lightning.make_callbacks(), max_epochs=1, batches=1).fit()
        find_shared_job().close()
        find_shared_job.cache_clear()
        assert [name for name, _, _ in told(server)] == ["READY", "PROGRESS"] * 2
        assert server.connections == 1


def test_nobody_else_imports_lightning() -> None:
    """The job side imports neither Lightning nor what it needs."""
    source = (
        "import sys, lamia_gql.client.tqdm, lamia_gql.client.job_executor\n"
        "print(sorted({'torch', 'lightning', 'pytorch_lightning', 'tqdm'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
