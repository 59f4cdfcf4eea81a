"""What Snakemake says about a failed job, in the record before the one that names the job."""

from __future__ import annotations

import re
from collections import deque
from typing import NamedTuple

EXIT_CODE = re.compile(r"returned non-zero exit status (\d+)")
SIGNAL = re.compile(r"died with <Signals\.(SIG\w+): \d+>")
COMMAND = re.compile(r"Command '.*' (?=returned non-zero|died with)", re.DOTALL)
FRAME = re.compile(r'  File "|    ')
REFERENCE = "For further error details see the cluster/cloud log"
"""Begins the sentence that executors append to each message."""
KEPT = 1000


class Failure(NamedTuple):
    """Why a job failed, as far as Snakemake tells."""

    exit_code: int | None = None
    signal: str | None = None
    message: str | None = None
    text: str | None = None
    """All that Snakemake says."""


class FailureTexts:
    """The texts of errors that no failed job was named for yet."""

    def __init__(self) -> None:
        self._texts: deque[str] = deque(maxlen=KEPT)

    def add(self, text: str) -> None:
        """Remember the text of an error."""
        self._texts.append(text)

    def take(self, command: str | None, own_message: str | None) -> Failure:
        """Why a job failed.

        Args:
            command: its shell command; a text that has it is about this job. Without one, the
                oldest text that is not about a shell command is.
            own_message: what the executor says about it.
        """
        found = next((text for text in self._texts if _is_about(text, command)), None)
        if found is not None:
            self._texts.remove(found)
        message = (own_message or "").partition(REFERENCE)[0].strip()
        return _parse(found, message or None)


def _is_about(text: str, command: str | None) -> bool:
    return command in text if command else COMMAND.search(text) is None


def _parse(text: str | None, message: str | None) -> Failure:
    if text is None:
        return Failure(message=message)
    code, signal = EXIT_CODE.search(text), SIGNAL.search(text)
    said = [line for line in text.splitlines() if line.strip() and not FRAME.match(line)]
    brief = COMMAND.sub("The command ", text).splitlines() if code or signal else said
    return Failure(
        int(code[1]) if code else None,
        signal[1] if signal else None,
        message or (brief[-1].strip() if brief else None),
        text,
    )
