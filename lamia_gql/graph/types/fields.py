"""Fields and arguments with their descriptions, the same words everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import orjson
import strawberry

from lamia_gql.domain.lifecycle import EventClass

F = TypeVar("F", bound=Callable[..., Any])


def field(description: str) -> Any:
    """A field that is an attribute of its object."""
    return strawberry.field(description=description)


def resolved(description: str) -> Callable[[F], F]:
    """A field that is worked out by the decorated method."""
    decorator: Callable[[F], F] = strawberry.field(description=description)
    return decorator


def streamed(description: str) -> Callable[[F], F]:
    """A field of the subscription root; the decorated method is an asynchronous generator."""
    decorator: Callable[[F], F] = strawberry.subscription(description=description)
    return decorator


def argument(description: str) -> Any:
    """An argument's description, for ``Annotated``."""
    return strawberry.argument(description=description)


def decoded(text: str | None) -> Any:
    """The value of a column that keeps JSON as text."""
    return None if text is None else orjson.loads(text)


First = Annotated[int | None, argument("How many entries, from the beginning or after `after`.")]
After = Annotated[str | None, argument("A cursor: the page begins behind it.")]
Last = Annotated[int | None, argument("How many entries, from the end or before `before`.")]
Before = Annotated[str | None, argument("A cursor: the page ends in front of it.")]
Classes = Annotated[
    list[EventClass] | None, argument("Only events of these classes; all, unless said.")
]
Points = Annotated[int, argument("How many times, evenly spaced, from the first event on.")]
Index = Annotated[int, argument("The job's index.")]
