"""The file in which a follower remembers how far it has come."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class StateFile:
    """Remembers one place, of one source.

    Args:
        path: the file. Its folder is created when a place is remembered.
        key: of the source. A place of another key is not used.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self._key = key

    def load(self) -> Any:
        """Return the remembered place; None without one. Raises ``OSError``, ``ValueError``."""
        try:
            text = self.path.read_text()
        except FileNotFoundError:
            return None
        found = json.loads(text)
        if not isinstance(found, dict) or found.get("source") != self._key:
            raise ValueError("it belongs to something else that is followed")
        return found.get("place")

    def save(self, place: Any) -> None:
        """Remember a place; if killed meanwhile, the previous one stays. Raises ``OSError``."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        text = json.dumps({"source": self._key, "place": place}, separators=(",", ":"))
        with open(os.open(made, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        made.replace(self.path)


def default_path(environ: Mapping[str, str], name: str, key: str) -> Path:
    """Return where a source is remembered unless the user says otherwise.

    Args:
        environ: the environment; ``XDG_STATE_HOME`` counts if it is absolute.
        name: of the system, which is in the name of the file.
        key: of the source; each has a file of its own.

    Raises ``RuntimeError`` if that is in the home directory, and the user has none.
    """
    given = Path(environ.get("XDG_STATE_HOME") or "")
    folder = given if given.is_absolute() else Path.home() / ".local" / "state"
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return folder / "lamia-gql" / f"follow-{name}-{digest}.json"
