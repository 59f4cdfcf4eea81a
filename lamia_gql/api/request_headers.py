"""The headers of a request. Shared by GraphQL and REST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def request_headers(scope: Mapping[str, Any]) -> dict[str, str]:
    """The headers in the ASGI scope of a request, by their names in lower case.

    Of several with one name, it is the first.
    """
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in reversed(scope["headers"])
    }
