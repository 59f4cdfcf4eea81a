"""The arguments that many fields of the graph share."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from lamia_gql.domain.lifecycle import EventClass


def argument(description: str) -> Any:
    """The description of an argument, for use in ``Annotated``."""
    return strawberry.argument(description=description)


First = Annotated[
    int | None,
    argument(
        "Number of entries from the start of the list, or after `after`; at most the server's"
        " `pageLimit`."
    ),
]
After = Annotated[str | None, argument("Cursor: only entries after it.")]
Last = Annotated[
    int | None,
    argument(
        "Number of entries from the end of the list, or before `before`; at most the server's"
        " `pageLimit`."
    ),
]
Before = Annotated[str | None, argument("Cursor: only entries before it.")]
Classes = Annotated[
    list[EventClass] | None, argument("Only events of these classes. Defaults to all.")
]
Points = Annotated[
    int,
    argument(
        "Number of points, from 2 to the server's `timelineLimit`. They reach from the first event"
        " to the last one, or to the present time if the work is unfinished."
    ),
]
Index = Annotated[int, argument("Index of the job.")]
