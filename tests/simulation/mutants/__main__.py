"""``python -m tests.simulation.mutants``: bring each fault back, and let the simulator find it.

A patch is named after the fault. It begins with what the fault is, and with lines that say how it
is to be found: on which engine, which properties may be violated, with which behaviours and faults,
and by which seeds, the first and the last one::

    Engine: sqlite
    Property: CURSOR
    Only: RECREATE_TASK STALE_CURSOR
    Seeds: 1-20
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
COPIED = ("lamia_gql", "alembic", "schema", "tests", "pyproject.toml")
NOT_COPIED = shutil.ignore_patterns("__pycache__", ".venv", "node_modules", "_web")
LONGEST_S = 300


@dataclass(frozen=True)
class Mutant:
    """A fault, and how it is to be found."""

    patch: Path
    engine: str
    properties: frozenset[str]
    """Those of which one must be violated."""
    only: list[str]
    """The behaviours and faults that it needs."""
    first: int
    last: int

    @classmethod
    def read(cls, patch: Path) -> Mutant:
        """The mutant of a patch with its heading. Raises KeyError where that lacks something."""
        heading = dict(
            re.findall(r"^(Engine|Property|Only|Seeds): (.+)$", patch.read_text(), re.MULTILINE)
        )
        properties = frozenset(heading["Property"].split())
        first, last = map(int, heading["Seeds"].split("-"))
        return cls(patch, heading["Engine"], properties, heading["Only"].split(), first, last)


def mutants(names: list[str]) -> list[Mutant]:
    """All mutants, or those whose names begin so."""
    patches = sorted(HERE.glob("*.patch"))
    chosen = [p for p in patches if not names or any(p.name.startswith(n) for n in names)]
    return [Mutant.read(patch) for patch in chosen]


def is_found(mutant: Mutant) -> str | None:
    """Let the simulator loose on a copy with the fault; None where it finds it, else why not."""
    with tempfile.TemporaryDirectory(prefix="lamia-mutant-") as name:
        folder = Path(name)
        for each in COPIED:
            if (ROOT / each).is_dir():
                shutil.copytree(ROOT / each, folder / each, ignore=NOT_COPIED)
            else:
                shutil.copy(ROOT / each, folder / each)
        applied = subprocess.run(
            ["git", "apply", str(mutant.patch)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if applied.returncode:
            return f"the patch does not fit: {applied.stderr.strip()}"
        command = [sys.executable, "-m", "tests.simulation", "--no-shrink"]
        command += ["--engine", mutant.engine, "--first", str(mutant.first)]
        command += ["--seeds", str(mutant.last - mutant.first + 1), "--only", *mutant.only]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=LONGEST_S, check=False
        )
    if done.returncode == 0:
        return f"the seeds {mutant.first} to {mutant.last} found nothing"
    found = {word for word in mutant.properties if f"\n{word} (" in done.stdout}
    if not found:
        return f"something else was found:\n{done.stdout[:2000]}{done.stderr[-2000:]}"
    return None


def main() -> None:
    """Try mutants, all or those named; exits 1 where one is not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants")
    parser.add_argument("names", nargs="*", help="beginnings of the names of patches; else all")
    missed = 0
    for mutant in mutants(parser.parse_args().names):
        begin = time.monotonic()
        why = is_found(mutant)
        missed += why is not None
        passed = time.monotonic() - begin
        print(f"{mutant.patch.stem:40} {why or 'found'} ({passed:.0f} s)", flush=True)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
