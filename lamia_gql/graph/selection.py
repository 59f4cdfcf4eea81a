"""What a client selects below a field, as far as it must be known before the field is resolved."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from graphql import FieldNode, FragmentSpreadNode, GraphQLResolveInfo, InlineFragmentNode
from strawberry.types import get_object_definition
from strawberry.utils.str_converters import to_camel_case

from lamia_gql.graph.context import Info
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
    """The names of those fields of these types whose resolvers read the database."""
    # Resolvers that read wait for what they read, so they are asynchronous; no others are.
    return frozenset(
        to_camel_case(field.python_name)
        for kind in types
        for field in get_object_definition(kind, strict=True).fields
        if field.base_resolver and inspect.iscoroutinefunction(field.base_resolver.wrapped_func)
    )


def _reads(info: Info, path: Iterable[str], reading: frozenset[str]) -> bool:
    # Strawberry's own view of the selection converts all arguments, too.
    raw = info._raw_info
    nodes = list(raw.field_nodes)
    for name in path:
        nodes = [node for node in _below(raw, nodes) if node.name.value == name]
    while nodes:
        nodes = list(_below(raw, nodes))
        if any(node.name.value in reading for node in nodes):
            return True
    return False


def _below(info: GraphQLResolveInfo[Any], nodes: Iterable[Any]) -> Iterator[FieldNode]:
    """The fields directly below some nodes; those of a fragment once, however often it is spread.

    Validation has found that fragments do not spread each other in a cycle.
    """
    waiting, spread = list(nodes), set()
    while waiting:
        selections = waiting.pop().selection_set
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in spread:
                spread.add(node.name.value)
                waiting.append(info.fragments[node.name.value])
