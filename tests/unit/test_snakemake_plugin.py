"""The Snakemake plugin, without Snakemake: the tests of its interface, and causes of failures."""

from __future__ import annotations

from pathlib import Path

import pytest
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase
from snakemake_interface_logger_plugins.tests import TestLogHandlerBase
from snakemake_logger_plugin_lamia import LogHandler, LogHandlerSettings
from snakemake_logger_plugin_lamia.failure_texts import Failure, FailureTexts
from snakemake_logger_plugin_lamia.index_file import IndexFile


class TestInterface(TestLogHandlerBase):
    """What Snakemake's interface expects of every plugin; the server is not there."""

    __test__ = True

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the plugin may leave its files."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("LAMIA_SPOOL", str(tmp_path / "spool"))

    def get_log_handler_cls(self) -> type[LogHandlerBase]:
        """The class to test."""
        return LogHandler

    def get_log_handler_settings(self) -> LogHandlerSettingsBase:
        """Its settings."""
        return LogHandlerSettings(url="http://127.0.0.1:9", task="w")


def shell_error(command: str, end: str) -> str:
    """What Snakemake says about a shell command that has failed."""
    return (
        'RuleException:\nCalledProcessError in file "/flow/Snakefile", line 8:\n'
        f"Command 'set -euo pipefail;  {command}' {end}."
    )


def test_causes() -> None:
    """A failed job gets the text about its command, also if several fail at once."""
    texts = FailureTexts()
    texts.add(shell_error("make a", "returned non-zero exit status 7"))
    texts.add(shell_error("make b", "died with <Signals.SIGKILL: 9>"))
    texts.add('RuleException:\nValueError in file "/flow/Snakefile", line 32:\nbad value')
    script = texts.take(None, None)
    assert (script.exit_code, script.message) == (None, "bad value")
    killed = texts.take("make b", None)
    assert (killed.signal, killed.message) == (
        "SIGKILL",
        "The command died with <Signals.SIGKILL: 9>.",
    )
    failed = texts.take("make a", None)
    assert (failed.exit_code, failed.signal) == (7, None)
    assert failed.message == "The command returned non-zero exit status 7."
    assert texts.take("make a", None) == Failure()


def test_messages_of_executors() -> None:
    """What an executor says about a job is its message, without the reference to its log."""
    said = "SLURM-job '17' failed, SLURM status is: 'TIMEOUT'. "
    reference = "For further error details see the cluster/cloud log and the log files."
    assert FailureTexts().take("make a", said + reference).message == said.strip()
    assert FailureTexts().take("make a", reference).message is None


def test_indices_survive(tmp_path: Path) -> None:
    """A job has the same index in later runs; a damaged file counts as far as it can be read."""
    first = IndexFile(str(tmp_path), "w")
    assert [first.index("make", {"s": sample}) for sample in "aba"] == [0, 1, 0]
    [path] = (tmp_path / "lamia").iterdir()
    path.write_text(path.read_text() + '\n{"rule": "ma')
    second = IndexFile(str(tmp_path), "w")
    assert second.index("make", {"s": "b"}) == 1
    assert (second.count("make"), second.count("sum")) == (2, 0)
    assert second.index("make", {"s": "c"}) == 2
    second = IndexFile(str(tmp_path), "w")
    assert (second.index("make", {"s": "c"}), second.count("make")) == (2, 3)
    second.forget()
    assert second.index("make", {"s": "b"}) == 0
    assert IndexFile(str(tmp_path), "another").count("make") == 0
