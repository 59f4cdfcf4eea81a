"""Helpers to define fields and arguments, and the arguments that many fields share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import orjson
import strawberry

from lamia_gql.domain.lifecycle import EventClass

F = TypeVar("F", bound=Callable[..., Any])


def field(description: str) -> Any:
    """A field whose value is an attribute of the object."""
    return strawberry.field(description=description)


def resolved(description: str) -> Callable[[F], F]:
    """A field whose resolver is the decorated method."""
    decorator: Callable[[F], F] = strawberry.field(description=description)
    return decorator


def streamed(description: str) -> Callable[[F], F]:
    """A subscription; the decorated method is an asynchronous generator."""
    decorator: Callable[[F], F] = strawberry.subscription(description=description)
    return decorator


def argument(description: str) -> Any:
    """The description of an argument, for use in ``Annotated``."""
    return strawberry.argument(description=description)


def stored_json(text: str | None) -> Any:
    """The value of a column that stores JSON as text: the text itself, to be sent as it is."""
    return None if text is None else orjson.Fragment(text)


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
