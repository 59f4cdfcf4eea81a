"""Serves the dashboard and GraphiQL, which ``make web`` builds from ``web/``.

The build produces compressed files only, which are sent unchanged. Names of assets contain a hash
of the content, so browsers cache them for a year. The pages are revalidated on every visit, and
answered by 304 if they have not changed.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from lamia_gql.api.accept import allows

BUILD_FOLDER = Path(__file__).parents[1] / "_web"
PAGES = {"/": "index.html", "/graphiql": "graphiql.html"}
SUFFIXES = {"br": ".br", "gzip": ".gz"}
"""The suffix of each content encoding that the build produces, smallest output first."""
CACHE_FOREVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
NOT_BUILT = """The pages are not built.

In a source checkout, `make web` builds them, and `make run` does so automatically. Released
packages contain them. The API at /graphql does not need them.
"""
NOTHING_HERE = """There is nothing at this address.

The dashboard is at the root of the server. Below it are /graphiql, /graphql and /api/v0, without a
slash at the end.
"""
PAGE_DIRECTIVES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "worker-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
# GraphiQL's editor adds style elements for its themes, and images from data: addresses.
GRAPHIQL_DIRECTIVES = PAGE_DIRECTIVES | {
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
}


def _format_policy(directives: dict[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in directives.items())


CONTENT_SECURITY_POLICIES = {
    "index.html": _format_policy(PAGE_DIRECTIVES),
    "graphiql.html": _format_policy(GRAPHIQL_DIRECTIVES),
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A built file in memory."""

    contents: dict[str, bytes]
    """The compressed content by content encoding."""
    content_hash: str
    headers: dict[str, str]
    """The headers that do not depend on the encoding."""

    async def respond(self, request: Request) -> Response:
        """Answer with the smallest encoding that the client accepts, or 304 if it has that."""
        encoding = choose(request.headers.get("accept-encoding", ""))
        etag = f'"{self.content_hash}-{encoding}"'
        headers = self.headers | {"etag": etag, "vary": "accept-encoding"}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if encoding == "identity":
            content = await run_in_threadpool(gzip.decompress, self.contents["gzip"])
            return Response(content, headers=headers)
        return Response(self.contents[encoding], headers=headers | {"content-encoding": encoding})


def choose(accepted: str) -> str:
    """The encoding to answer with, by an ``Accept-Encoding`` header: the smallest allowed form."""
    return next((encoding for encoding in SUFFIXES if allows(accepted, encoding)), "identity")


def static_routes(folder: Path = BUILD_FOLDER) -> list[Route]:
    """Return the routes of the pages and their assets; of an explanation if they are not built."""
    files = {path: _load_file(folder, path) for path in _find_files(folder)}
    if any(page not in files for page in PAGES.values()):
        return [Route(address, _not_built) for address in PAGES]
    pages = {address: files[page] for address, page in PAGES.items()}
    assets = {f"/{path}": file for path, file in files.items() if path not in PAGES.values()}
    return [Route(address, file.respond) for address, file in (pages | assets).items()]


async def nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request for an address without a route by saying which there are."""
    refusal = (
        WebSocketClose() if scope["type"] == "websocket" else PlainTextResponse(NOTHING_HERE, 404)
    )
    await refusal(scope, receive, send)


async def _not_built(_request: Request) -> Response:
    return PlainTextResponse(NOT_BUILT, 404)


def _find_files(folder: Path) -> list[str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*.gz"))
    return sorted(path.with_suffix("").as_posix() for path in paths)


def _load_file(folder: Path, path: str) -> StaticFile:
    contents = {
        encoding: folder.joinpath(path + suffix).read_bytes()
        for encoding, suffix in SUFFIXES.items()
    }
    media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
    if media_type.startswith("text/"):
        media_type += "; charset=utf-8"
    headers = {
        "content-type": media_type,
        "cache-control": CACHE_FOREVER,
        "x-content-type-options": "nosniff",
    }
    if path in CONTENT_SECURITY_POLICIES:
        headers |= {
            "cache-control": REVALIDATE,
            "content-security-policy": CONTENT_SECURITY_POLICIES[path],
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
        }
    content_hash = hashlib.sha256(contents["gzip"]).hexdigest()[:20]
    return StaticFile(contents, content_hash, headers)
