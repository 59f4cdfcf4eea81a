"""Mutations that submit events, answered by a compiled plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphql import GraphQLError, located_error
from strawberry.types.execution import ExecutionResult

from lamia_gql.api.client_clock import correct_times
from lamia_gql.domain.errors import Unavailable, UserError
from lamia_gql.graph.context import Context
from lamia_gql.graph.executor import answer_lost_error
from lamia_gql.graph.plans.submission import SubmissionPlan
from lamia_gql.graph.transport.encoding import encode
from lamia_gql.graph.transport.operation import Operation
from lamia_gql.graph.transport.result import Result
from lamia_gql.graph.types.payloads import SubmitEventPayload
from lamia_gql.graph.types.process import Process
from lamia_gql.ingest.event_batch import Outcome
from lamia_gql.ingest.event_decoder import decode_events
from lamia_gql.ingest.event_input import NewEvent


async def submit(
    plan: SubmissionPlan, operation: Operation, context: Context
) -> Result | ExecutionResult | None:
    """Store the events of an operation; the answer, or the one error of the operation.

    None if any event is invalid, or has not the usual form: then nothing has happened, and the
    operation is to be resolved field by field.
    """
    given = plan.events(operation.variables or {})
    if given is None:
        return None
    services = context.services
    try:
        services.check_number_of_events(len(given))
        await services.wait_for_room(context.principal, context.client_address, len(given))
    except UserError:
        return None
    except Unavailable as error:
        failure = located_error(error, [plan.node], [plan.key])
        return ExecutionResult(data=None, errors=[failure], extensions=_extensions(context))
    events = decode_events(context.settings, given, context.now, context.client_address)
    return None if events is None else await _store(plan, events, context)


async def _store(
    plan: SubmissionPlan, events: Sequence[NewEvent], context: Context
) -> Result | ExecutionResult:
    extensions = _extensions(context)
    correct_times(events, context.clock_offset)
    try:
        outcomes = await context.services.record_events(
            context.principal, context.client_address, events
        )
        data = plan.data(context.load.reads, [_payload(outcome) for outcome in outcomes])
        encoded = await encode({"data": data, "extensions": extensions}, context.budget)
        context.load.reads.charge(max(0, len(encoded) - context.budget.size))
    except Exception as error:
        failure = located_error(error, [plan.node], [plan.key])
        if context.budget.exceeded:
            # What the client must know is that the events are stored.
            lost = answer_lost_error(context.budget.max_bytes)
            failure = GraphQLError(str(lost), original_error=lost)
        return ExecutionResult(data=None, errors=[failure], extensions=extensions)
    return Result.of_encoded(encoded)


def _extensions(context: Context) -> dict[str, Any]:
    return {"cost": {"requested": context.cost, "limit": context.settings.max_cost}}


def _payload(outcome: Outcome | UserError) -> SubmitEventPayload:
    if isinstance(outcome, Outcome):
        return SubmitEventPayload.of(outcome, Process.of(outcome.process))
    return SubmitEventPayload.refused(outcome)
