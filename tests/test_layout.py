"""Imports point one way: who may know whom, held by a test."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "lamia_gql"
LAYERS = [
    ["lifecycle", "errors", "keys", "bodies", "client", "hub", "workers"],
    ["progress", "settings", "texts", "sessions"],
    ["models", "pages", "events", "reading"],
    ["records", "migrations", "database", "specs"],
    ["filters", "statements", "changes"],
    ["queries", "batch", "operations", "reads"],
    ["recorder", "tasks", "sweeper", "timeline", "live"],
    ["recount", "services", "listener"],
    ["graph", "rest", "web"],
    ["app", "protocols"],
    ["server", "commands"],
    ["cli"],
    ["__main__"],
]
"""From the bottom to the top; a module knows those below it, and its own folder."""
PURE = {"lifecycle", "progress", "hub"}
"""What knows nothing but the standard library and each other."""
MAY_KNOW = {
    "strawberry": {"graph"},
    "graphql": {"graph"},
    "starlette": {"graph", "rest", "app", "web"},
    "uvicorn": {"server", "protocols"},
    "click": {"cli", "server", "commands"},
    "rich": {"commands"},
    "httpx": {"commands"},
    "alembic": {"migrations"},
    "psycopg": {"listener"},
}
"""Packages that stay behind a door."""


def modules() -> dict[str, Path]:
    """Every module of the package, by its dotted name below it."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(path: Path, *, everywhere: bool = True) -> Iterator[str]:
    """The full names of what a module imports: anywhere, or as it is loaded."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            if node.module in ("lamia_gql", "lamia_gql.graph", "lamia_gql.queries"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module


def noun(module: str) -> str:
    """The file or folder at the top of the package that a module belongs to."""
    return module.removeprefix("lamia_gql.").split(".")[0]


LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
MODULES = modules()


def test_every_module_has_its_layer() -> None:
    """A new file is given its place on purpose."""
    assert {noun(module) for module in MODULES} - {"__init__"} == set(LEVEL)


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"__init__"}))
def test_imports_point_down(module: str) -> None:
    """A module knows what is below it, or in its own folder; nothing beside or above."""
    mine = noun(module)
    for name in imports(MODULES[module]):
        if not name.startswith("lamia_gql.") or name == "lamia_gql.__version__":
            continue
        other = noun(name)
        assert other == mine or LEVEL[other] < LEVEL[mine], f"{module} imports {name}"


def test_modules_load_without_circles() -> None:
    """Within a folder, too, modules load in one direction."""
    known = {name: set(imports(path, everywhere=False)) for name, path in MODULES.items()}
    loading: list[str] = []
    done: set[str] = set()

    def load(name: str) -> None:
        assert name not in loading, " → ".join([*loading, name])
        if name in done or name not in known:
            return
        loading.append(name)
        for other in sorted(known[name]):
            load(other.removeprefix("lamia_gql."))
        loading.pop()
        done.add(name)

    for name in known:
        load(name)
    assert set(known) <= done


def test_packages_stay_behind_their_doors() -> None:
    """Only the graph knows strawberry, only doors know starlette, and so on."""
    for module, path in MODULES.items():
        for name in imports(path):
            allowed = MAY_KNOW.get(name.split(".")[0])
            assert allowed is None or noun(module) in allowed, f"{module} imports {name}"


@pytest.mark.parametrize("module", sorted(PURE))
def test_the_heart_is_pure(module: str) -> None:
    """The rules of states and progress know the standard library, and each other."""
    for name in imports(MODULES[module]):
        if name.startswith("lamia_gql."):
            assert noun(name) in PURE
        else:
            assert name.split(".")[0] in sys.stdlib_module_names
