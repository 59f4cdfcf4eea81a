"""Answers to operations of one document that find rows by keys, made together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lamia_gql.api.services import Services
from lamia_gql.domain.access import Principal
from lamia_gql.graph.plans.plan import Plan, Variables
from lamia_gql.graph.reads import Reads
from lamia_gql.graph.transport.encoding import Encoded, encode_at_once
from lamia_gql.storage.transaction import ReadConnection


@dataclass(frozen=True, slots=True)
class PlannedQuery:
    """An operation whose answer is to be made.

    Args:
        reads: its own reads, which are told the size of its answer.
        variables: its variables.
        extensions: the ``extensions`` of its answer.
    """

    reads: Reads
    variables: Variables
    extensions: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SharedAnswers:
    """Makes answers by one plan, for one principal; equal ones may be made together."""

    plan: Plan
    principal: Principal
    services: Services = field(compare=False)

    def __call__(self, connection: ReadConnection, asked: Sequence[PlannedQuery]) -> list[Encoded]:
        """The answer to each operation; blocks. Raises whatever goes wrong for any of them.

        Together, they may take no more than one answer may.
        """
        budget = self.services.answer_budget()
        now = max(one.reads.now for one in asked)
        reads = Reads(now, self.services.settings, budget, self.principal).on(connection)
        try:
            found = self.plan.run_many(reads, [one.variables for one in asked])
            answers = []
            for one, data in zip(asked, found, strict=True):
                body = {"data": data, "extensions": one.extensions}
                encoded = encode_at_once(body, budget)
                # Where another one fails, it is made again, and counts once.
                one.reads.charge(max(0, len(encoded) - one.reads.budget.size))
                answers.append(encoded)
            return answers
        finally:
            budget.close()
