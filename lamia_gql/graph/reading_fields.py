"""Which fields read the database, and whether a client selects any of them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from functools import cache

from strawberry.types import get_object_definition
from strawberry.utils.str_converters import to_camel_case

from lamia_gql.graph.context import Info
from lamia_gql.graph.selected_fields import fields_below
from lamia_gql.graph.types.declarations import DECLARATION, Derived
from lamia_gql.graph.types.job import Job
from lamia_gql.graph.types.process import JobArray, Process, SolitaryProcess
from lamia_gql.graph.types.task import Task


def reads_task(info: Info, *path: str) -> bool:
    """Whether fields of the task at a path below the present field read the database."""
    return _reads(info, path, reading_fields(Task))


def reads_process(info: Info, *path: str) -> bool:
    """Whether fields of the process, or job, at a path below the present field read the database.

    The process of a job does not count: it is read together with the job.
    """
    return _reads(info, path, reading_fields(Process, JobArray, SolitaryProcess, Job))


@cache
def reading_fields(*types: type) -> frozenset[str]:
    """The names of those fields of these types, or of their values, that read the database."""
    found: set[str] = set()
    for kind in types:
        for field in get_object_definition(kind, strict=True).fields:
            # Resolvers that always read wait for what they read, so they are asynchronous.
            if field.base_resolver and inspect.iscoroutinefunction(
                field.base_resolver.wrapped_func
            ):
                found.add(to_camel_case(field.python_name))
            declaration = field.metadata.get(DECLARATION)
            if isinstance(declaration, Derived):
                found.update(*declaration.only_for.values())
    return frozenset(found)


def _reads(info: Info, path: Iterable[str], reading: frozenset[str]) -> bool:
    # Strawberry's own view of the selection converts all arguments, too.
    raw = info._raw_info
    nodes = list(raw.field_nodes)
    for name in path:
        nodes = [node for node in fields_below(raw, nodes) if node.name.value == name]
    while nodes:
        nodes = list(fields_below(raw, nodes))
        if any(node.name.value in reading for node in nodes):
            return True
    return False
