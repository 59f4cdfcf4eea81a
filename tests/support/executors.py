"""Both ways of answering an operation: by its compiled plan, and field by field."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import orjson
from graphql import (
    GraphQLError,
    OperationDefinitionNode,
    parse,
)

from lamia_gql.api.answer_budget import AnswerBudget, AnswerMemory
from lamia_gql.api.cost_gate import CostGate
from lamia_gql.api.rate_limits import RateLimits
from lamia_gql.api.services import Services
from lamia_gql.api.turns import Turns
from lamia_gql.domain.access import ANYONE
from lamia_gql.domain.settings import Settings
from lamia_gql.graph.context import Context
from lamia_gql.graph.plans.plan import Plans
from lamia_gql.graph.reads import Reads
from lamia_gql.graph.schema import Schema
from lamia_gql.storage.database import Database
from tests.support.query_generator import Query


class Executors(NamedTuple):
    """Both executors of one schema, on one database."""

    schema: Schema
    settings: Settings
    database: Database

    def context(self) -> Context:
        """The context of an operation."""
        services = SimpleNamespace(
            settings=self.settings,
            database=self.database,
            cost_gate=CostGate(10**9),
            rates=RateLimits(self.settings),
            answer_budget=lambda: AnswerBudget(10**9, 10**9, AnswerMemory(10**9), Turns()),
        )
        return Context(cast(Services, services), ANYONE)

    async def by_field(self, query: Query) -> tuple[bytes | list[GraphQLError], Context]:
        """The data, resolved field by field, or the errors; and the context."""
        context = self.context()
        found = await self.schema.execute(
            query.document, variable_values=query.variables, context_value=context
        )
        context.reads.end()
        return found.errors or orjson.dumps(found.data), context

    def plans(self, query: Query) -> Plans:
        """The plans of a query."""
        document = parse(query.document)
        [operation] = [
            node for node in document.definitions if isinstance(node, OperationDefinitionNode)
        ]
        return Plans(self.schema, document, operation)

    async def planned(self, query: Query, now: Any, pushed: Any = None) -> bytes | Exception | None:
        """The data by a plan, or what goes wrong; None if there is no plan."""
        prepared = self.plans(query).prepare(query.variables)
        if prepared is None:
            return None
        plan, variables = prepared
        reads = Reads(now, self.settings, self.context().budget, ANYONE)
        try:
            return orjson.dumps(
                await self.database.read(lambda c: plan.run(reads.on(c), variables, pushed))
            )
        except Exception as error:
            return error

    async def planned_together(
        self, queries: Sequence[Query], now: Any
    ) -> list[bytes] | Exception | None:
        """The data of queries that differ in their variables, by one run; None if it can't."""
        plans = self.plans(queries[0])
        prepared = [plans.prepare(query.variables) for query in queries]
        each = [one[1] for one in prepared if one is not None]
        plan = None if prepared[0] is None else prepared[0][0]
        if plan is None or not plan.is_shared:
            return None
        reads = Reads(now, self.settings, self.context().budget, ANYONE)
        try:
            found = await self.database.read(lambda c: plan.run_many(reads.on(c), each))
        except Exception as error:
            return error
        return [orjson.dumps(one) for one in found]
