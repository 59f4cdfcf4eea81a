"""Which operations a principal may run at all.

What it may change is decided where it is changed. Whoever may not read tasks may still run
mutations: a job submits events, and reads the answer.
"""

from __future__ import annotations

from graphql import OperationType

from lamia_gql.domain.access import Principal
from lamia_gql.graph.schema import Schema
from lamia_gql.graph.transport.operation import Operation


def require_permission(schema: Schema, operation: Operation, principal: Principal) -> None:
    """Raise :class:`AccessDenied` for a query or subscription of one who may not read.

    Introspection is a query, too. Raises nothing for an operation that can't be executed: to run it
    reports its errors.
    """
    if principal.may_read:
        return
    try:
        document = schema.documents.read(schema._schema, operation.query)
        node = document.operation(operation.name)
    except Exception:
        return
    if node is not None and node.operation is not OperationType.MUTATION:
        principal.require_reading()
