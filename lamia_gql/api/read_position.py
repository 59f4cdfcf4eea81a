"""The header by which a client sees what it has written, wherever its later requests are read.

Where queries are read from replicas, an answer to a write has a position in this header. A client
sends it with its later requests: they see everything up to there. It may also ask for everything
that is committed when the server gets the request.
"""

from __future__ import annotations

import re

from lamia_gql.api.services import Services
from lamia_gql.storage.read_sources import Freshness, Wanted

HEADER = "lamia-position"
COMMITTED = "committed"
"""The value that asks for everything that is committed. Our own pages and commands send it."""
POSITION = re.compile(r"[0-9a-f]{1,16}")


def wanted_position(header: str | None) -> Wanted:
    """What a read must see, by the header of its request.

    A position that this server does not know is read from the primary, which has all of them.
    """
    if header is None:
        return 0
    if header == COMMITTED:
        return Freshness.COMMITTED
    return int(header, 16) if POSITION.fullmatch(header) else Freshness.PRIMARY


def position_header(services: Services) -> dict[str, str]:
    """The header of an answer to a write; none where there are no replicas."""
    database = services.database
    if not database.sources.replicas:
        return {}
    position = database.position
    return {HEADER: COMMITTED if position is None else f"{position:x}"}
