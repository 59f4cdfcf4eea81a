"""Whether requests are traced: by OpenTelemetry's own variables, and if it is installed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamia_gql.server.spans import Spans

log = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"
"""The protocol in which traces are sent; OpenTelemetry's default."""


def start_tracing(environ: Mapping[str, str]) -> Spans | None:
    """Begin to make and send spans; None if the variables do not name a collector.

    Nothing of OpenTelemetry is imported then. Where it can't be used, the log says why, and the
    server runs without: to observe it must not stop it.

    Args:
        environ: the environment, with the variables ``OTEL_…`` of OpenTelemetry's specification.
    """
    exporters = environ.get("OTEL_TRACES_EXPORTER", "otlp").split(",")
    is_disabled = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if is_disabled or "otlp" not in exporters or not _first(environ, ENDPOINTS):
        return None
    if find_spec("opentelemetry") is None:
        log.warning(
            "a collector of traces is set, but OpenTelemetry is not installed: pip install"
            " 'lamia-gql[opentelemetry]'"
        )
        return None
    if (protocol := _first(environ, PROTOCOLS) or PROTOCOL) != PROTOCOL:
        log.warning("no traces are sent: their protocol is %s, not %s", PROTOCOL, protocol)
        return None
    try:
        from lamia_gql.server.spans import Spans

        return Spans()
    except (ValueError, ImportError) as error:
        # Of a variable, such as the size of a queue.
        log.warning("no traces are sent: %s", error)
        return None


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """The value of the first variable that is set and not empty."""
    return next((value for name in names if (value := environ.get(name))), None)
