"""``/metrics``, for Prometheus."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lamia_gql.api.authentication import CHALLENGE, authenticate, denied_status
from lamia_gql.api.request_body import HttpError
from lamia_gql.domain.errors import AccessDenied
from lamia_gql.graph.transport.result import error_body
from lamia_gql.server.metrics_exchange import MetricsExchange


async def metrics(request: Request) -> Response:
    """Answer with the metrics of all workers to whoever may read tasks."""
    try:
        principal, _ = authenticate(request.state.services, request.headers)
        principal.require_reading()
    except HttpError as error:
        return JSONResponse(error_body(str(error), error.code), error.status, error.headers)
    except AccessDenied as error:
        status = denied_status(error)
        headers = CHALLENGE if status == 401 else None
        return JSONResponse(error_body(error.message, error.code), status, headers)
    exchange: MetricsExchange = request.state.metrics
    return Response(await exchange.text(), headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})
