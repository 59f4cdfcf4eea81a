"""A server of another version, from its source tree."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

from lamia_gql.storage.migrations import HEAD
from tests.support.harness import COMMAND_TIMEOUT_S, Server, environment_with
from tests.support.tools import require

ROOT = Path(__file__).parents[2]
NEXT_REVISION = "2099_01_01_next"
MIGRATION = f"""import sqlalchemy as sa

from alembic import op

revision = "{NEXT_REVISION}"
down_revision = "{HEAD}"
ONLINE = IS_ONLINE

def upgrade():
    op.add_column("task", sa.Column("later", sa.Text(), nullable=True))

def downgrade():
    op.drop_column("task", "later")
"""


def make_next_version(tree: Path, *, online: bool) -> Path:
    """Write the tree of a version like this one with a further migration; returns ``tree``."""
    hidden = shutil.ignore_patterns("_web", "__pycache__")
    for name in ("lamia_gql", "alembic", "schema"):
        shutil.copytree(ROOT / name, tree / name, ignore=hidden)
    text = MIGRATION.replace("IS_ONLINE", str(online))
    (tree / "alembic" / "versions" / f"{NEXT_REVISION}.py").write_text(text)
    changed = tree / "lamia_gql" / "storage" / "migrations.py"
    before = changed.read_text()
    assert before.count(f'HEAD = "{HEAD}"') == 1
    changed.write_text(before.replace(HEAD, NEXT_REVISION))
    return tree


def run_in(tree: Path, *arguments: str, database_url: str) -> subprocess.CompletedProcess[str]:
    """Run ``lamia-gql`` of the version in a tree to its end."""
    return subprocess.run(
        [sys.executable, "-m", "lamia_gql", *arguments],
        cwd=tree,
        env=environment_with({"database_url": database_url}) | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )


def previous_version(tree: Path) -> Path:
    """Write the tree of the last commit before the newest migration; returns ``tree``.

    The test is skipped without Git's history, unless TESTS_COMPLETE is set.
    """
    git = ["git", "-C", str(ROOT)]
    newest = ["log", "--max-count=1", "--format=%P", "--", "alembic/versions"]
    done = subprocess.run([*git, *newest], capture_output=True, text=True, check=False)
    parent = require(done.stdout.strip().partition(" ")[0] or None, "Git's history")
    packed = subprocess.run([*git, "archive", parent], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(tree, filter="data")
    return tree


class OtherServer(Server):
    """A running server of the version in a tree.

    Args:
        tree: the tree; may be set to another one before it is started again.
        database_url: the address of its database.
        folder: where its log is written.
        settings: the settings of the server, by their names.
    """

    def __init__(self, tree: Path, database_url: str, folder: Path, **settings: Any) -> None:
        super().__init__(database_url, folder, **settings)
        self.tree = tree

    def _launch(self, arguments: list[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "lamia_gql", "serve", *arguments]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.tree,
                env=environ | {"PYTHONPATH": str(self.tree)},
                stdout=log,
                stderr=log,
            )
