"""Imports point one way: which package may import which, held by a test."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "lamia_gql"
MAY_IMPORT: dict[str, set[str]] = {
    "domain": set(),
    "storage": {"domain"},
    "ingest": {"storage", "domain"},
    "live": {"storage", "domain"},
    "access": {"storage", "domain"},
    "notification": {"ingest", "storage", "domain"},
    "api": {"access", "ingest", "live", "storage", "domain"},
    "graph": {"api", "access", "ingest", "live", "storage", "domain"},
    "rest": {"adapters", "api", "access", "ingest", "live", "storage", "domain"},
    "server": {
        *("graph", "rest", "api", "access", "notification", "ingest", "live", "storage", "domain"),
    },
    "commands": {
        *("server", "graph", "access", "ingest", "live", "storage", "domain", "client", "adapters"),
    },
    "adapters": {"client"},
    "client": set(),
    "__main__": {"commands"},
}
"""From the bottom to the top: the packages that each package may import besides itself."""
FROM_OUTSIDE: dict[str, set[str]] = {
    "domain": set(),
    "storage": {"sqlalchemy", "alembic", "orjson"},
    "ingest": {"sqlalchemy", "orjson"},
    "live": set(),
    "access": {"sqlalchemy", "orjson", "httpx", "jwt"},
    "notification": {"aiosmtplib", "apprise", "httpx", "orjson", "standardwebhooks"},
    "api": {"orjson"},
    "graph": {"strawberry", "graphql", "starlette", "orjson"},
    "rest": {"starlette", "orjson"},
    "server": {"starlette", "uvicorn", "click"},
    "commands": {"click", "rich", "httpx", "orjson"},
    "adapters": set(),
    "client": set(),
    "__main__": set(),
}
"""What each package may import besides the standard library."""
EXCEPTIONS: dict[str, set[str]] = {
    # Settings are read by every layer, so they lie at the bottom; a library reads and checks them.
    "domain.settings": {"pydantic", "pydantic_settings"},
    "domain.access_settings": {"pydantic", "pydantic_settings"},
    "domain.limits": {"pydantic", "pydantic_settings"},
    "domain.notification_settings": {"pydantic", "pydantic_settings"},
    "domain.setting_types": {"pydantic"},
    "domain.retention_settings": {"pydantic", "pydantic_settings"},
    # Cursors and ids are made for every entry of a page: the standard library is too slow.
    "domain.pagination": {"orjson"},
    # Events are checked in batches, which a validator that is not compiled takes too long for.
    "ingest.event_decoder": {"pydantic"},
    # It is what those need that read without a thread.
    "storage.own_connection": {"psycopg", "sqlalchemy"},
    # LISTEN needs the driver itself.
    "live.pg_listener": {"psycopg"},
    # Many reads may wait for the next answer: that takes no thread.
    "live.replica_watch": {"psycopg"},
    # Uvicorn's protocols are made of these; a refusal is written without the application.
    "server.http_protocol": {"httptools", "orjson"},
    "server.websocket_protocol": {"websockets"},
    # Prometheus' library writes what it reads.
    "server.metrics": {"prometheus_client"},
    "server.metric_families": {"prometheus_client"},
    "server.metrics_endpoint": {"prometheus_client"},
    "server.metrics_exchange": {"prometheus_client"},
    # Imported only where traces are sent.
    "server.spans": {"opentelemetry"},
    # HTCondor's logs are read by its own library.
    "adapters.condor.log_file": {"htcondor2"},
    # Errors of settings and of the database become one sentence for the operator.
    "commands.failures": {"pydantic", "sqlalchemy"},
    "commands.setting_errors": {"pydantic"},
}
"""Modules that may import more than their package, and why."""


def modules() -> dict[str, Path]:
    """Every module of the package, by its dotted name below it."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax of a module."""
    return ast.parse(path.read_text())


def imports(path: Path, *, everywhere: bool = True) -> Iterator[str]:
    """The full names of what a module imports: anywhere, or only as it is loaded."""
    tree = parsed(path)
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full.removeprefix("lamia_gql.") in MODULES else node.module


def package(module: str) -> str:
    """The package that a module belongs to."""
    return module.removeprefix("lamia_gql.").split(".")[0]


def test_no_module_stands_beside_the_packages() -> None:
    """Every module belongs to a package, and every package is in the table."""
    assert {path.name for path in ROOT.glob("*.py")} == {"__init__.py", "__main__.py"}
    assert {package(module) for module in MODULES} - {"__init__"} == set(MAY_IMPORT)


def all_imports(own: str) -> Iterator[tuple[str, str]]:
    """The modules of a package, each with the full names of what it imports."""
    for module, path in MODULES.items():
        if package(module) == own:
            yield from ((module, name) for name in imports(path))


@pytest.mark.parametrize("own", MAY_IMPORT)
def test_imports_point_one_way(own: str) -> None:
    """A module imports from its own package, and from those that its package may import."""
    wrong = [
        f"{module} imports {name}"
        for module, name in all_imports(own)
        if name.startswith("lamia_gql.") and package(name) not in {own, *MAY_IMPORT[own]}
    ]
    assert not wrong


@pytest.mark.parametrize("own", MAY_IMPORT)
def test_libraries_stay_in_their_packages(own: str) -> None:
    """Only ``graph`` imports Strawberry, only ``storage`` and ``ingest`` speak SQL, and so on."""
    wrong = [
        f"{module} imports {name}"
        for module, name in all_imports(own)
        if (library := name.split(".")[0]) not in sys.stdlib_module_names
        and library not in {"lamia_gql"} | FROM_OUTSIDE[own] | EXCEPTIONS.get(module, set())
    ]
    assert not wrong


def test_exceptions_are_needed() -> None:
    """Every listed exception is needed."""
    for module, libraries in EXCEPTIONS.items():
        found = {name.split(".")[0] for name in imports(MODULES[module])}
        assert libraries <= found, f"{module} does not import {libraries - found}"


def test_modules_load_without_cycles() -> None:
    """Within a package, too, modules load in one direction."""
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


def test_files_are_short() -> None:
    """No file has more than 350 lines."""
    long = {name for name, path in MODULES.items() if len(path.read_text().splitlines()) > 350}
    assert not long
