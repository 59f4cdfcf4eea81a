"""Apollo Client, urql and Relay, and the types that GraphQL Code Generator writes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support import npm
from tests.support.harness import Server

FOLDER = Path(__file__).parent
BUILD = FOLDER / "build"
"""What tests generate: it finds the packages of the folder above."""
DOCUMENTS = FOLDER.parents[1] / "docs"
TYPED_REQUEST = """import { TasksDocument } from "./lamia.js";
import { request } from "./request.js";
export const states: Promise<("FAILED" | "PENDING" | "RUNNING" | "SUBMITTED" | "SUCCEEDED")[]> =
  request(TasksDocument, { first: 5 }).then(({ tasks }) => tasks!.nodes.map(({ state }) => state));
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module", autouse=True)
def packages() -> None:
    """The packages of the lock file, installed."""
    npm.install(FOLDER)
    BUILD.mkdir(exist_ok=True)


def _use(script: str, server: Server, *arguments: str) -> Any:
    """What a script tells that uses a server with two tasks and an array of five jobs."""
    server.create("t", {"name": "a", "jobCount": 5}, {"name": "b"})
    server.create("u", {"name": "b"})
    told = json.loads(npm.run(script, f"{server.url}/graphql", *arguments, folder=FOLDER))
    assert "Traceback" not in server.log()
    task = told["query"]["task"]
    assert (task["name"], task["state"]) == ("t", "PENDING")
    submitted = told["mutation"]["submitEvent"]
    assert (submitted["process"]["state"], submitted["userErrors"]) == ("RUNNING", [])
    assert told["subscription"] == "STARTED"
    return told


def _recipe(name: str, page: str = "graphql.md") -> str:
    """The code in a page of the documentation that begins with this file name."""
    pattern = rf"^```[jt]s\n// {re.escape(name)}\n(.*?)^```$"
    text = (DOCUMENTS / page).read_text()
    [found] = re.findall(pattern, text, re.DOTALL | re.MULTILINE)
    assert isinstance(found, str)
    return found


def test_apollo(sqlite_server: Server) -> None:
    """With the cache of the documentation it joins pages; it sends documents if hashes are refused.

    Where hashes are refused without the right code, it gives up.
    """
    cache = BUILD / "cache.js"
    cache.write_text(_recipe("cache.js"))
    told = _use("apollo.mjs", sqlite_server, str(cache))
    assert told["requests"] == [
        {"document": False, "hash": True},
        {"document": True, "hash": False},
    ]
    assert (told["jobs"], told["tasks"]) == ([0, 1, 2, 3, 4], ["u", "t"])
    assert (told["merged"], told["cached"], told["complaints"]) == (0, "RUNNING", [])


def test_urql(sqlite_server: Server) -> None:
    """It queries, mutates and subscribes, and sends the document if a hash is refused."""
    told = _use("urql.mjs", sqlite_server)
    assert told["requests"] == [
        {"method": "GET", "document": False},
        {"method": "GET", "document": True},
    ]


def test_relay(sqlite_server: Server) -> None:
    """Its compiler accepts the schema; it joins pages, and fetches an object again by its id."""
    compiled = BUILD / "relay"
    shutil.rmtree(compiled, ignore_errors=True)
    compiled.mkdir()
    npm.run("node_modules/relay-compiler/cli.js", "relay.config.json", folder=FOLDER)
    told = _use("relay.mjs", sqlite_server, str(compiled))
    assert told["jobs"] == [0, 1, 2, 3, 4]
    assert told["refetched"] is True


def test_types_for_typescript() -> None:
    """The types of the schema and of our operations are valid in strict TypeScript.

    With a type of the schema that is named as one of TypeScript's own, they are not.
    """
    settings = BUILD / "codegen.js"
    settings.write_text(_recipe("codegen.js"))
    files = json.loads(npm.run("typescript.mjs", str(settings), str(BUILD), folder=FOLDER))
    assert [Path(file).name for file in files] == ["schema.ts", "lamia.ts"]
    for name, text in {
        "request.ts": _recipe("request.ts", "front-ends.md"),
        "use.ts": TYPED_REQUEST,
    }.items():
        (BUILD / name).write_text(text)
        files.append(str(BUILD / name))
    options = ("--strict", "--noEmit", "--module", "nodenext", "--types", "")
    npm.run("node_modules/typescript/bin/tsc", *options, *files, folder=FOLDER)
