"""Operations that are answered by a compiled plan."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Collection
from functools import partial
from typing import Any

from graphql import GraphQLError, OperationDefinitionNode
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from lamia_gql.api.current_request import note_operation_type
from lamia_gql.domain.errors import AccessDenied, LamiaError, LimitExceeded, Unavailable
from lamia_gql.graph.context import Context
from lamia_gql.graph.limits.cost import max_resolved
from lamia_gql.graph.limits.deadline import query_limits, take_cost
from lamia_gql.graph.limits.documents import Document
from lamia_gql.graph.plans.plan import Plan, PlanCache, Plans, Variables
from lamia_gql.graph.plans.submission import Submission
from lamia_gql.graph.schema import Schema
from lamia_gql.graph.transport.encoding import Encoded, encode_at_once
from lamia_gql.graph.transport.operation import Operation
from lamia_gql.graph.transport.result import Result
from lamia_gql.graph.transport.shared_answers import PlannedQuery, SharedAnswers
from lamia_gql.graph.transport.submissions import submit
from lamia_gql.storage.transaction import ReadConnection

log = logging.getLogger(__name__)


class PlannedOperations:
    """Answers queries, mutations that submit events, and results of subscriptions by plans.

    Lives as long as the application.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self.plans = PlanCache(lambda *operation: Plans(schema, *operation))
        self.submissions = PlanCache(lambda *operation: Submission(schema, *operation))
        self.answered = 0
        """How many operations were answered by a plan."""
        self.resolved = 0
        """How many operations were left to be resolved field by field."""

    async def answer(
        self, operation: Operation, context: Context, allowed: Collection[OperationType]
    ) -> Result | ExecutionResult | None:
        """The result of an operation; None for whatever is to be resolved field by field.

        That are subscriptions, most mutations, operations with errors, and what plans do not do. An
        ``ExecutionResult`` has the one error of an operation that was stopped or refused.

        Args:
            operation: what the client asks for.
            context: its context.
            allowed: the types of operation that the transport allows.
        """
        result = await self._answer(operation, context, allowed)
        if result is None:
            self.resolved += 1
        else:
            self.answered += 1
        return result

    def plan_results(self, operation: Operation, context: Context) -> None:
        """Let the results of the operation be made by a plan, if it is a subscription with one.

        A result for which the plan fails is resolved field by field.
        """
        if not context.settings.compiled_queries:
            return
        document = self._schema.documents.read(self._schema._schema, operation.query)
        node = document.operation(operation.name)
        if node is None or document.subscription_root(operation.name) is None:
            return
        prepared = self._prepare(document, node, operation)
        if prepared is not None:
            context.plan = partial(_run, *prepared, context)

    async def _answer(
        self, operation: Operation, context: Context, allowed: Collection[OperationType]
    ) -> Result | ExecutionResult | None:
        try:
            document = self._schema.documents.read(self._schema._schema, operation.query)
            node = document.operation(operation.name)
            if node is None:
                return None
            note_operation_type(node.operation.value)
            if document.errors or not context.settings.compiled_queries:
                return None
        except (AccessDenied, LimitExceeded) as error:
            # Refused documents are not cached: to parse it again would take as long.
            failure = GraphQLError(str(error), original_error=error)
            return PreExecutionError(data=None, errors=[failure])
        except GraphQLError:
            return None
        match OperationType(node.operation.value):
            case OperationType.QUERY:
                return await self._query(document, node, operation, context)
            case OperationType.MUTATION if OperationType.MUTATION in allowed:
                plan = self.submissions.plans(document.node, node).plan
                if plan is not None and _is_affordable(document, operation, context):
                    context.has_written = True
                    return await submit(plan, operation, context)
        return None

    async def _query(
        self,
        document: Document,
        node: OperationDefinitionNode,
        operation: Operation,
        context: Context,
    ) -> Result | ExecutionResult | None:
        try:
            planned = self._plan(document, node, operation, context)
        except (GraphQLError, LamiaError):
            return None
        if planned is None:
            return None
        plan, variables = planned
        limit = context.settings.max_cost
        extensions = {"cost": {"requested": context.cost, "limit": limit}}

        def run() -> Encoded:
            reads = context.load.reads
            body = {"data": plan.run(reads, variables), "extensions": extensions}
            encoded = encode_at_once(body, reads.budget)
            reads.charge(max(0, len(encoded) - reads.budget.size))
            return encoded

        def run_on(connection: ReadConnection) -> Encoded:
            context.load.reads.on(connection)
            return run()

        def look_up() -> Awaitable[Encoded]:
            if not plan.is_shared:
                return context.reads.look_up(lambda c, _: [run_on(c)], None)
            return context.reads.look_up(
                SharedAnswers(plan, context.principal, context.services),
                PlannedQuery(context.load.reads, variables, extensions),
            )

        try:
            if plan.is_lookup and context.services.cost_gate.is_cheap(context.cost):
                # It passes the gate, and has a time limit of its own.
                take_cost(context)
                encoded = await look_up()
            else:
                async with query_limits(context):
                    if plan.needs_database:
                        encoded = await context.reads.read_once(run_on)
                    else:
                        encoded = run()
        except (LimitExceeded, Unavailable) as error:
            failure = GraphQLError(str(error), original_error=error)
            return ExecutionResult(data=None, errors=[failure], extensions=extensions)
        except LamiaError as error:
            if context.cost > max_resolved(limit):
                # To find out which field it is would take the event loop too long.
                failure = GraphQLError(str(error), original_error=error)
                return ExecutionResult(data=None, errors=[failure], extensions=extensions)
            context.begin_again()
            return None
        except Exception:
            # Resolving finds out which field it is, and tells the client.
            context.begin_again()
            return None
        return Result.of_encoded(encoded)

    def _plan(
        self,
        document: Document,
        node: OperationDefinitionNode,
        operation: Operation,
        context: Context,
    ) -> tuple[Plan, Variables] | None:
        """The plan of a query that may be executed, and its variables."""
        if not _is_affordable(document, operation, context):
            return None
        return self._prepare(document, node, operation)

    def _prepare(
        self, document: Document, node: OperationDefinitionNode, operation: Operation
    ) -> tuple[Plan, Variables] | None:
        try:
            return self.plans.plans(document.node, node).prepare(operation.variables or {})
        except (GraphQLError, LamiaError):
            raise
        except Exception:
            # Unlike a plan that fails, resolving would not show what is wrong.
            log.exception("no plan could be made; the operation is resolved field by field")
            return None


async def _run(
    plan: Plan, variables: Variables, context: Context, pushed: Any
) -> dict[str, Any] | None:
    reads = context.load.reads
    try:
        if not plan.needs_database:
            return plan.run(reads, variables, pushed)
        return await context.reads.read(lambda c: plan.run(reads.on(c), variables, pushed))
    except Exception:
        if context.budget.exceeded:
            raise
        # Resolving finds out which field it is, and tells the client.
        context.forget()
        return None


def _is_affordable(document: Document, operation: Operation, context: Context) -> bool:
    context.cost = document.cost(operation.name, operation.variables or {})
    return context.cost <= context.settings.max_cost
