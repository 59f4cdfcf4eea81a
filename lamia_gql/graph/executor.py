"""Execution of operations: it counts what the answer takes, and lets others work meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from inspect import isawaitable
from typing import Any, TypeVar

import orjson
from graphql import (
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    OperationType,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from graphql.execution.executor import Executor
from graphql.pyutils import AwaitableOrValue, Path, gather_with_cancel
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from lamia_gql.api.answer_budget import AnswerBudget
from lamia_gql.domain.errors import ErrorCode, LimitExceeded
from lamia_gql.graph.context import Context
from lamia_gql.graph.coroutines import Coroutines
from lamia_gql.graph.limits.cost import READ_COST, max_resolved

T = TypeVar("T")
complete_leaf = Executor.complete_leaf_value


class BudgetedExecutor(StrawberryGraphQLCoreExecutionContext):
    """graphql-core's executor with a budget for the answer.

    As soon as the budget is exceeded, nothing more is resolved, and what was built is dropped: the
    error of the budget is raised instead of the answer.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        context: Context = self.context_value
        self.budget: AnswerBudget = context.budget
        self.budget.max_values = max_resolved(context.settings.max_cost)
        self.coroutines = Coroutines()

    def build_per_event_executor(self, payload: Any) -> Executor[Any]:
        """Each result of a subscription has the whole budget."""
        self.budget.restart()
        return super().build_per_event_executor(payload)

    async def execute_operation(self, serially: bool | None = None) -> Any:
        """Execute an operation, or make one result of a subscription."""
        context: Context = self.context_value
        if context.plan is not None:
            data = await context.plan(self.root_value)
            if data is not None:
                return self.build_response(data)
        self.coroutines = Coroutines()
        self.is_awaitable = self.coroutines.is_awaitable
        try:
            result = super().execute_operation(serially)
            return await result if isawaitable(result) else result
        finally:
            self.coroutines.close()

    def settle_in_background(self, awaitables: list[Awaitable[Any]]) -> None:
        """Nothing: what belongs to a failed field is not begun, and closed at the end."""

    def build_response(self, data: dict[str, Any] | None) -> Any:
        """Raise the error of the budget, if it is exceeded."""
        if self.budget.exceeded and self.operation.operation is OperationType.MUTATION:
            # Whoever repeats it would make its changes again.
            raise answer_lost_error(self.budget.max_bytes)
        if self.budget.exceeded:
            raise self.budget.error()
        return super().build_response(data)

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: Any,
    ) -> AwaitableOrValue[dict[str, Any]]:
        """Charge the keys of an object."""
        number = len(grouped_field_set)
        # The quotes, the colon and the comma.
        self.budget.charge(sum(map(len, grouped_field_set)) + 4 * number + 2, number)
        if self.budget.exceeded:
            return {}
        return super().execute_fields(
            parent_type, source_value, path, grouped_field_set, position_context
        )

    def complete_leaf_value(  # type: ignore[override]
        self, return_type: GraphQLLeafType, result: Any
    ) -> Any:
        """Charge a leaf."""
        completed = complete_leaf(return_type, result)
        # Also a text that is stored as JSON: it is copied, but not read.
        self.budget.charge(len(orjson.dumps(completed)))
        return completed

    async def with_abort_signal(self, awaitable: Awaitable[T]) -> T:
        """Let others work before and after a resolver that waits."""
        self.budget.charge(0, READ_COST - 1)
        await self.budget.checkpoint()
        found = await awaitable
        await self.budget.checkpoint()
        return found

    def complete_iterable_value(
        self,
        item_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        items: Iterable[Any],
        position_context: Any,
    ) -> AwaitableOrValue[list[Any]]:
        """Complete a list: at once, or in several turns if it takes long."""
        budget = self.budget
        budget.charge(2)
        completed: list[Any] = []
        awaitable: list[int] = []
        remaining = iter(enumerate(items))

        def complete_some() -> bool:
            """Complete entries until others are to work; whether there may be more."""
            for index, item in remaining:
                budget.charge(1)
                if budget.exceeded:
                    return False
                if self.complete_list_item_value(
                    item,
                    completed,
                    item_type,
                    field_details_list,
                    info,
                    path.add_key(index, None),
                    position_context,
                ):
                    awaitable.append(index)
                    self.coroutines.add(completed[index])
                if budget.is_due():
                    return True
            return False

        async def complete_all(more: bool) -> list[Any]:
            while more:
                await budget.checkpoint()
                more = complete_some()
            found = await gather_with_cancel(*(completed[index] for index in awaitable))
            for index, value in zip(awaitable, found, strict=True):
                completed[index] = value
            return completed

        more = complete_some()
        return complete_all(more) if more or awaitable else completed


def answer_lost_error(limit: int) -> LimitExceeded:
    """The error for a mutation whose answer cannot be given."""
    return LimitExceeded(
        ErrorCode.RESPONSE_TOO_LARGE,
        "The changes were made, but the answer is too large: select less of it.",
        limit,
    )
