"""Queries that are answered by a compiled plan."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLError, OperationType
from strawberry.types.execution import ExecutionResult

from lamia_gql.domain.errors import LamiaError, LimitExceeded, Unavailable
from lamia_gql.graph.context import Context
from lamia_gql.graph.limits.deadline import query_limits
from lamia_gql.graph.plans.plan import Plan, PlanCache
from lamia_gql.graph.schema import Schema
from lamia_gql.graph.transport.encoding import encode_at_once
from lamia_gql.graph.transport.operation import Operation
from lamia_gql.graph.transport.result import Result
from lamia_gql.storage.transaction import ReadConnection


class PlannedQueries:
    """Answers queries by plans. Lives as long as the application."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._cache = PlanCache(schema)
        self.answered = 0
        """How many queries were answered by a plan."""
        self.resolved = 0
        """How many operations were left to be resolved field by field."""

    async def answer(
        self, operation: Operation, context: Context
    ) -> Result | ExecutionResult | None:
        """The result of a query; None for whatever is to be resolved field by field.

        That are mutations and subscriptions, operations with errors, and what plans do not do. An
        ``ExecutionResult`` has the one error of a query that was stopped or refused.
        """
        result = await self._answer(operation, context)
        if result is None:
            self.resolved += 1
        else:
            self.answered += 1
        return result

    async def _answer(
        self, operation: Operation, context: Context
    ) -> Result | ExecutionResult | None:
        if not context.settings.compiled_queries:
            return None
        try:
            planned = self._plan(operation, context)
        except (GraphQLError, LamiaError):
            return None
        if planned is None:
            return None
        plan, variables = planned
        limit = context.settings.max_cost
        extensions = {"cost": {"requested": context.cost, "limit": limit}}

        reads = context.load.reads

        def run() -> bytes:
            body = {"data": plan.run(reads, variables), "extensions": extensions}
            encoded = encode_at_once(body, reads.budget)
            reads.charge(max(0, len(encoded) - reads.budget.size))
            return encoded

        def run_on(connection: ReadConnection) -> bytes:
            reads.on(connection)
            return run()

        try:
            async with query_limits(context):
                if plan.needs_database:
                    encoded = await context.reads.read(run_on)
                else:
                    encoded = run()
        except (LimitExceeded, Unavailable) as error:
            failure = GraphQLError(str(error), original_error=error)
            return ExecutionResult(data=None, errors=[failure], extensions=extensions)
        except Exception:
            # Resolving finds out which field it is, and tells the client.
            context.begin_again()
            return None
        return Result.of_encoded(encoded)

    def _plan(self, operation: Operation, context: Context) -> tuple[Plan, Any] | None:
        """The plan of a query that may be executed, and its variables."""
        document = self._schema.documents.read(self._schema._schema, operation.query)
        node = document.operation(operation.name)
        if node is None or node.operation is not OperationType.QUERY or document.errors:
            return None
        given = operation.variables or {}
        context.cost = document.cost(operation.name, given)
        if context.cost > context.settings.max_cost:
            return None
        plans = self._cache.plans(document.node, node)
        variables = plans.variables(given)
        plan = None if variables is None else plans.plan(variables)
        return None if plan is None else (plan, variables)
