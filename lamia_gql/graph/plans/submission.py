"""Plans of mutations that submit events: where the events are, and how the answer is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLObjectType,
    ObjectValueNode,
    OperationDefinitionNode,
    VariableNode,
    get_named_type,
)
from strawberry.schema import Schema

from lamia_gql.graph.plans.levels import Run
from lamia_gql.graph.plans.payload_compiler import PayloadCompiler
from lamia_gql.graph.plans.selection import NotPlannable, Selection, fragments_of
from lamia_gql.graph.reads import Reads
from lamia_gql.graph.types.payloads import SubmitEventPayload

ONE, MANY = "submitEvent", "submitEvents"
"""The fields of ``Mutation`` that have plans."""
Show = Callable[[Run, Sequence[SubmitEventPayload]], Any]
"""From the payloads of the events to a value of the answer."""


class SubmissionPlan:
    """A mutation of one field, which submits the events that are in one variable.

    Args:
        node: its field.
        path: where the events are in the variables of the operation.
        show: gives the value of the field.
    """

    def __init__(self, node: FieldNode, path: Sequence[str], show: Show) -> None:
        self.node = node
        self.key = node.alias.value if node.alias else node.name.value
        """The key of the field in the answer."""
        self._path = path
        self._show = show

    def events(self, variables: Mapping[str, Any]) -> list[Any] | None:
        """The events as the client sent them; None if they are not where they should be."""
        found: Any = variables
        for name in self._path:
            # Other entries beside them are an error, but not in the variables as a whole.
            if not isinstance(found, dict) or (found is not variables and len(found) > 1):
                return None
            found = found.get(name)
        if self.node.name.value == ONE:
            return [found]
        return found if isinstance(found, list) else None

    def data(self, reads: Reads, payloads: Sequence[SubmitEventPayload]) -> dict[str, Any]:
        """The data of the answer. Raises the error of the budget."""
        return {self.key: self._show(Run(reads, _no_arguments), payloads)}


class Submission:
    """The plan of an operation, if it is a mutation that has one.

    Args:
        schema: the schema.
        document: the document, which is valid.
        operation: one of its operations.
    """

    def __init__(
        self, schema: Schema, document: DocumentNode, operation: OperationDefinitionNode
    ) -> None:
        core = schema._schema
        self._compiler = PayloadCompiler(core, Selection(core, fragments_of(document), {}))
        self._mutation = core.mutation_type
        self.plan: SubmissionPlan | None = None
        """The plan."""
        try:
            self.plan = self._compile(operation)
        except NotPlannable:
            return

    @property
    def fields(self) -> int:
        """How many fields it has."""
        return self._compiler.fields

    def _compile(self, operation: OperationDefinitionNode) -> SubmissionPlan:
        match operation.selection_set.selections, operation.variable_definitions or ():
            case (FieldNode() as node,), (definition,):
                if operation.directives or node.directives or node.name.value not in (ONE, MANY):
                    raise NotPlannable("another mutation")
                path = _path(node, definition.variable.name.value)
                return SubmissionPlan(node, path, self._show(node))
        raise NotPlannable("several fields or variables")

    def _show(self, node: FieldNode) -> Show:
        assert self._mutation is not None
        type_ = get_named_type(self._mutation.fields[node.name.value].type)
        assert isinstance(type_, GraphQLObjectType)
        if node.name.value == MANY:
            return self._show_many(type_, node)
        level = self._compiler.payload(type_, [node.selection_set])
        return lambda run, payloads: level.run(run, payloads)[0]

    def _show_many(self, type_: GraphQLObjectType, node: FieldNode) -> Show:
        shown: dict[str, Show] = {}
        for key, nodes in self._compiler.collect(type_, [node.selection_set]).items():
            match nodes[0].name.value:
                case "__typename":
                    shown[key] = lambda _run, _payloads: type_.name
                case "results":
                    one = get_named_type(type_.fields["results"].type)
                    assert isinstance(one, GraphQLObjectType)
                    below = [each.selection_set for each in nodes]
                    shown[key] = self._compiler.payload(one, below).run
                case "userErrors":
                    # A request that is refused as a whole is not stored, so it has no plan.
                    shown[key] = lambda _run, _payloads: []
                case other:
                    raise NotPlannable(other)
        return lambda run, payloads: {key: show(run, payloads) for key, show in shown.items()}


def _path(node: FieldNode, variable: str) -> list[str]:
    """Where the events are in the variables; from ``input: $x``, or ``input: {events: $x}``."""
    [argument] = node.arguments or ()
    match argument.value:
        case VariableNode():
            return [variable, "events"] if node.name.value == MANY else [variable]
        case ObjectValueNode(fields=(field,)) if isinstance(field.value, VariableNode):
            if node.name.value == MANY:
                return [variable]
    raise NotPlannable("an input that is not a variable")


def _no_arguments(_place: int) -> Mapping[str, Any]:
    raise AssertionError("nothing in the answer has arguments")
