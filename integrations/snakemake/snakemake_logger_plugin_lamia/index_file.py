"""Which index each job of a workflow has: a file, so that later runs give the same job the same."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


class IndexFile:
    """The indices of the jobs of a task, by rule and wildcards.

    Args:
        folder: the folder where Snakemake keeps its own state.
        task: the name of the task.
    """

    def __init__(self, folder: str, task: str) -> None:
        self._path = Path(folder, "lamia", f"{task}.jsonl")
        self._indices: dict[tuple[str, str], int] = {}
        self._sizes: Counter[str] = Counter()
        with suppress(OSError, UnicodeDecodeError):
            for line in self._path.read_text().splitlines():
                # A run that was killed may have left a part of one.
                with suppress(ValueError, KeyError, TypeError):
                    entry = json.loads(line)
                    self._add(entry["rule"], _key(entry["wildcards"]), int(entry["index"]))

    def forget(self) -> None:
        """Begin anew, for a task that is new on the server."""
        self._indices.clear()
        self._sizes.clear()
        with suppress(OSError):
            self._path.unlink()

    def count(self, rule: str) -> int:
        """How many jobs of a rule have an index."""
        return self._sizes[rule]

    def index(self, rule: str, wildcards: Mapping[str, str]) -> int:
        """The index of a job: the next one of the rule, if it has none yet."""
        known = self._indices.get((rule, _key(wildcards)))
        if known is not None:
            return known
        index = self._sizes[rule]
        self._add(rule, _key(wildcards), index)
        entry = {"rule": rule, "wildcards": dict(wildcards), "index": index}
        with suppress(OSError):  # a later run will count anew
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a") as file:
                file.write("\n" + json.dumps(entry))
        return index

    def _add(self, rule: str, key: str, index: int) -> None:
        self._indices[rule, key] = index
        self._sizes[rule] = max(self._sizes[rule], index + 1)


def _key(wildcards: Mapping[str, str]) -> str:
    return json.dumps(dict(wildcards), sort_keys=True)
