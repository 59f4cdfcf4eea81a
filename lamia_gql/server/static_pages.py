"""The pages: the dashboard and GraphiQL, as ``make web`` has built them from ``web/``.

The build leaves nothing but compressed files, and they are sent as they are. Files whose names
carry a hash of their content never change and are kept by browsers for a year; the pages
themselves are asked for anew and answered by 304 where they are still the same.
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

from lamia_gql.api.accept import parse_quality_list

FOLDER = Path(__file__).parents[1] / "_web"
PAGES = {"/": "index.html", "/graphiql": "graphiql.html"}
SUFFIXES = {"br": ".br", "gzip": ".gz"}
"""The forms in which the build leaves every file: by their encodings, the smaller one first."""
FOREVER = "public, max-age=31536000, immutable"
ANEW = "no-cache"
NOT_BUILT = """The pages are not built.

In a checkout of the sources, `make web` builds them (`make run` does so by itself); the packages
that are released carry them. The API does not need them: it is served at /graphql.
"""
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "worker-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
# The editor of GraphiQL makes style elements for its themes, and pictures out of data: addresses.
EDITOR_POLICY = POLICY | {"style-src": "'self' 'unsafe-inline'", "img-src": "'self' data:"}


def _policy(directives: dict[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in directives.items())


POLICIES = {"index.html": _policy(POLICY), "graphiql.html": _policy(EDITOR_POLICY)}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One built file, in memory."""

    forms: dict[str, bytes]
    """Its compressed forms, by their encodings."""
    tag: str
    """Tells its content from any other."""
    headers: dict[str, str]
    """What is sent with every form of it."""

    async def respond(self, request: Request) -> Response:
        """The file in the best form that the client takes, or 304 where it has that already."""
        encoding = choose(request.headers.get("accept-encoding", ""))
        etag = f'"{self.tag}-{encoding}"'
        headers = self.headers | {"etag": etag, "vary": "accept-encoding"}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if encoding == "identity":
            content = await run_in_threadpool(gzip.decompress, self.forms["gzip"])
            return Response(content, headers=headers)
        return Response(self.forms[encoding], headers=headers | {"content-encoding": encoding})


def choose(accepted: str) -> str:
    """The encoding to answer with, by an ``Accept-Encoding`` header: the smallest allowed form."""
    qualities = {name: quality for name, quality, _ in parse_quality_list(accepted)}
    for encoding in SUFFIXES:
        if qualities.get(encoding, qualities.get("*", 0.0)) > 0:
            return encoding
    return "identity"


def static_routes(folder: Path = FOLDER) -> list[Route]:
    """Where the pages are, and what they load; a helpful answer where nothing is built."""
    files = {path: _load(folder, path) for path in _built(folder)}
    if any(page not in files for page in PAGES.values()):
        return [Route(address, _not_built) for address in PAGES]
    pages = {address: files[page] for address, page in PAGES.items()}
    assets = {f"/{path}": file for path, file in files.items() if path not in PAGES.values()}
    return [Route(address, file.respond) for address, file in (pages | assets).items()]


async def _not_built(_request: Request) -> Response:
    return PlainTextResponse(NOT_BUILT, 404)


def _built(folder: Path) -> list[str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*.gz"))
    return sorted(path.with_suffix("").as_posix() for path in paths)


def _load(folder: Path, path: str) -> StaticFile:
    forms = {
        encoding: folder.joinpath(path + suffix).read_bytes()
        for encoding, suffix in SUFFIXES.items()
    }
    media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
    if media_type.startswith("text/"):
        media_type += "; charset=utf-8"
    headers = {
        "content-type": media_type,
        "cache-control": FOREVER,
        "x-content-type-options": "nosniff",
    }
    if path in POLICIES:
        headers |= {
            "cache-control": ANEW,
            "content-security-policy": POLICIES[path],
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
        }
    return StaticFile(forms, hashlib.sha256(forms["gzip"]).hexdigest()[:20], headers)
