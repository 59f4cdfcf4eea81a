"""How the pages are served: compressed, cached, and allowed to do nothing but what they need."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from lamia_gql.server.static_pages import BUILD_FOLDER, choose, static_routes
from tests.support.harness import Server
from tests.support.npm import node_tool, require_packages_of_pages

ROOT = Path(__file__).parents[2]

DASHBOARD_FIRST_LOAD = 150_000
GRAPHIQL = 2_000_000
"""Bytes, gzipped."""


def policy(response: httpx.Response) -> dict[str, str]:
    """The directives of a Content-Security-Policy."""
    text = response.headers["content-security-policy"]
    return dict(part.strip().split(" ", 1) for part in text.split(";"))


def assets(html: str) -> list[str]:
    """The addresses that a page names, which all lie beside it."""
    found = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert all(address.startswith("./assets/") for address in found), found
    return [address.removeprefix(".") for address in found]


class Client:
    """The pages of a folder, without the rest of the server."""

    def __init__(self, folder: Path = BUILD_FOLDER) -> None:
        self.app = Starlette(routes=static_routes(folder))

    async def get(self, address: str, method: str = "GET", **headers: str) -> httpx.Response:
        """The answer to one request; underscores in the names of headers are hyphens."""
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://pages") as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.request(method, address, headers=named)


@pytest.fixture(scope="module")
def pages() -> Client:
    """The pages as they are built here."""
    return Client()


@pytest.mark.parametrize("address", ["/", "/graphiql"])
async def test_pages_are_revalidated(pages: Client, address: str) -> None:
    """A page is never kept unasked, but an unchanged one costs no transfer."""
    page = await pages.get(address)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    again = await pages.get(address, if_none_match=page.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == page.headers["etag"]


@pytest.mark.parametrize("address", ["/", "/graphiql"])
async def test_content_security_policy(pages: Client, address: str) -> None:
    """Scripts and connections are our own; nothing evaluates text, and nothing frames us."""
    page = await pages.get(address)
    rules = policy(page)
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert "unsafe-eval" not in page.headers["content-security-policy"]
    assert ("'unsafe-inline'" in rules["style-src"]) is (address == "/graphiql")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "same-origin"
    assert not re.search(r"<script(?![^>]*src=)|<style|style=|\son\w+=", page.text)


async def test_assets_are_cached_for_ever(pages: Client) -> None:
    """What a page loads bears a hash in its name, so that it may be kept."""
    for address in assets((await pages.get("/")).text):
        assert re.search(r"-[\w-]{8}\.\w+$", address), address
        found = await pages.get(address)
        assert found.status_code == 200
        assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert found.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("GZIP", "gzip"),
        ("*", "br"),
        ("*;q=0", "identity"),
        ("br;q=nonsense", "identity"),
        ("identity", "identity"),
        ("", "identity"),
    ],
)
def test_the_smallest_encoding_is_chosen(accepted: str, encoding: str) -> None:
    """Brotli before gzip before nothing, by what the client takes."""
    assert choose(accepted) == encoding


async def test_encodings_of_a_file_are_equal(pages: Client) -> None:
    """Every form is the same file, has a tag of its own, and tells caches to keep them apart."""
    script = next(
        address for address in assets((await pages.get("/")).text) if address.endswith(".js")
    )
    bodies, tags = set(), set()
    for encoding in ("gzip", "identity"):
        found = await pages.get(script, accept_encoding=encoding)
        assert found.headers.get("content-encoding", "identity") == encoding
        assert found.headers["vary"] == "accept-encoding"
        assert found.headers["content-type"] == "text/javascript; charset=utf-8"
        bodies.add(found.content)
        tags.add(found.headers["etag"])
    assert len(bodies) == 1
    assert len(tags) == 2
    brotli = await pages.get(script, "HEAD", accept_encoding="br")
    assert brotli.headers["content-encoding"] == "br"
    assert brotli.headers["etag"] not in tags


async def test_sizes_stay_small(pages: Client) -> None:
    """The dashboard's first load and all of GraphiQL, gzipped, keep within their budgets."""
    index = (await pages.get("/")).text
    first = sum((BUILD_FOLDER / f".{address}.gz").stat().st_size for address in assets(index))
    assert first < DASHBOARD_FIRST_LOAD
    everything = sum(path.stat().st_size for path in BUILD_FOLDER.rglob("*.gz"))
    assert everything - first < GRAPHIQL


async def test_missing_build_says_what_to_do(tmp_path: Path) -> None:
    """Where nothing is built, the answer tells how to build it."""
    pages = Client(tmp_path)
    for address in ("/", "/graphiql"):
        answer = await pages.get(address)
        assert answer.status_code == 404
        assert "make web" in answer.text


def test_the_server_serves_them(sqlite_server: Server) -> None:
    """The running server has the pages beside its API, and nothing where nothing is."""
    assert "<title>lamia</title>" in sqlite_server.get("/").text
    assert "GraphiQL" in sqlite_server.get("/graphiql").text
    for address in ("/assets/none-12345678.js", "/graphiql/"):
        answer = sqlite_server.get(address)
        assert answer.status_code == 404
        assert "Below it are /graphiql, /graphql and /api/v0" in answer.text


def test_files_are_whole(pages: Client) -> None:
    """Every built file comes in both encodings, and nothing uncompressed lies about."""
    gzipped = {path.with_suffix("") for path in BUILD_FOLDER.rglob("*.gz")}
    brotlied = {path.with_suffix("") for path in BUILD_FOLDER.rglob("*.br")}
    assert gzipped == brotlied
    assert all(path.suffix in (".gz", ".br") for path in BUILD_FOLDER.rglob("*") if path.is_file())
    assert all(gzip.decompress(path.with_name(path.name + ".gz").read_bytes()) for path in gzipped)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of the pages' sources and of the schema that they are typed by."""
    web = ROOT / "web"
    require_packages_of_pages()
    shutil.copytree(ROOT / "schema", tmp_path / "schema")
    shutil.copytree(web, tmp_path / "web", ignore=shutil.ignore_patterns("node_modules"))
    (tmp_path / "web" / "node_modules").symlink_to(web / "node_modules")
    return tmp_path


def build(sources: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a step of the build."""
    folder = sources / "web"
    command = [node_tool("node"), script]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def change(sources: Path, field: str, other: str) -> None:
    """Change a field everywhere in the schema."""
    schema = sources / "schema" / "schema.graphql"
    text = schema.read_text()
    assert f"  {field}\n" in text
    schema.write_text(text.replace(f"  {field}\n", f"  {other}\n"))


def test_lost_field_breaks_the_build(sources: Path) -> None:
    """An operation that asks for what the schema no longer has is told of when it is built."""
    assert build(sources, "codegen.mjs").returncode == 0
    change(sources, "outlook: Outlook!", "prospect: Outlook!")
    broken = build(sources, "codegen.mjs")
    assert broken.returncode != 0
    assert 'Cannot query field "outlook"' in broken.stderr


def test_changed_type_breaks_the_build(sources: Path) -> None:
    """A field that may now be null is told of where the pages do not expect that."""
    change(sources, "outlook: Outlook!", "outlook: Outlook")
    assert build(sources, "codegen.mjs").returncode == 0
    broken = build(sources, "node_modules/.bin/tsc")
    assert broken.returncode != 0
    assert re.search(r"src/pages/\S+ error .* is not assignable to type", broken.stdout)
