"""``/session``: the pages sign in with an access token, and get a cookie that scripts can't read.

The browser sends the cookie with requests of our own pages only: it is ``SameSite=Strict``, and
what a foreign page asks for is refused before (see :mod:`lamia_gql.server.request_guard`).
"""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lamia_gql.access.sessions import COOKIE
from lamia_gql.api.accept import parse_media_type
from lamia_gql.api.authentication import CHALLENGE, denied_status
from lamia_gql.api.request_body import HttpError, parse_json, read_body
from lamia_gql.api.services import Services
from lamia_gql.domain.errors import AccessDenied, Unavailable, UserError
from lamia_gql.graph.transport.result import error_body

MAX_BODY_BYTES = 32_768


async def session(request: Request) -> Response:
    """Sign in by POST of ``{"token": …}``, sign out by DELETE; answers 204, or an error.

    The cookie is ``Secure`` where the page was served by HTTPS, also by a proxy.
    """
    services: Services = request.state.services
    response = Response(status_code=204)
    is_secure = request.headers.get("origin", request.url.scheme).startswith("https")
    path = request.scope["root_path"] or "/"
    if request.method == "DELETE":
        response.delete_cookie(COOKIE, path, httponly=True, samesite="strict", secure=is_secure)
        return response
    try:
        token = await _token(request)
        text, expires_at = await services.authentication.sign_in(token)
    except HttpError as error:
        return JSONResponse(error_body(str(error), error.code), error.status)
    except AccessDenied as error:
        status = denied_status(error)
        headers = CHALLENGE if status == 401 else {}
        return JSONResponse(error_body(error.message, error.code), status, headers)
    except (UserError, Unavailable) as error:
        return JSONResponse(error_body(error.message, error.code), 503)
    response.set_cookie(
        COOKIE,
        text,
        max_age=max(1, int(expires_at - time.time())),
        path=path,
        httponly=True,
        samesite="strict",
        secure=is_secure,
    )
    return response


async def _token(request: Request) -> str:
    if parse_media_type(request.headers.get("content-type", ""))[0] != "application/json":
        raise HttpError(415, "UNSUPPORTED_MEDIA_TYPE", "Send the token as application/json.")
    body = parse_json(await read_body(request.receive, MAX_BODY_BYTES), "The body")
    token = body.get("token") if isinstance(body, dict) else None
    if not isinstance(token, str) or not token.strip():
        raise HttpError(400, "BAD_REQUEST", "The body must be an object with a token.")
    return token.strip()
