"""Plans: what an operation reads and how its answer is made, for any variables; and their cache."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import orjson
from graphql import (
    DocumentNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    get_named_type,
    get_variable_values,
    visit,
)
from graphql.language import Visitor
from strawberry.schema import Schema

from lamia_gql.graph.plans.compiler import Compiler
from lamia_gql.graph.plans.levels import Run
from lamia_gql.graph.plans.payload_compiler import PayloadCompiler
from lamia_gql.graph.plans.selection import CONDITIONS, NotPlannable, Selection, fragments_of
from lamia_gql.graph.plans.shared_root import Arguments, SharedRoot
from lamia_gql.graph.reads import Reads

PLANS_OF_OPERATION = 8
"""How many plans of one operation are kept: one for each choice of what conditions include."""
KEPT_VARIABLES, KEPT_VARIABLES_BYTES = 64, 256
"""How many variables of an operation are kept, and how long their JSON may be."""
VARIABLES_FIELDS = 3
"""Those take about as much memory as so many fields of a plan."""
SNAPSHOTS, EVENTS = "taskChanged", "events"
"""The subscriptions whose results have plans."""
KEPT_OPERATIONS = 256
"""How many operations have plans that are kept."""
KEPT_FIELDS = 20_000
"""How many fields all plans may have that are kept: one takes about 1 KB."""


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables of an operation, coerced."""

    values: Any
    """As graphql-core gives them."""
    arguments: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    """What their plan has made of them: the arguments of fields, by the place in the plan."""


@dataclass(frozen=True, slots=True)
class Root:
    """The root of a plan."""

    run: Callable[[Run, Any], dict[str, Any]]
    """From what the field of a subscription has yielded to the data of the answer."""
    needs_database: bool
    """Whether anything is read."""
    shared: SharedRoot | None = None
    """The root for many operations at once, where that is possible."""


class Plan:
    """A compiled query. May run in several threads at once.

    Args:
        schema: the schema.
        root: its root.
        compiler: what has compiled it.
    """

    def __init__(self, schema: Schema, root: Root, compiler: Compiler) -> None:
        self._schema = schema
        self._root = root
        self._places = compiler.places
        self._processes_shape = compiler.processes.shape
        self.needs_database = root.needs_database
        """Whether anything is read."""
        self.is_lookup = root.needs_database and compiler.is_lookup
        """Whether something is read, and that are a few rows, found by their keys."""
        self.fields = compiler.fields
        """How many fields it has."""

    def run(self, reads: Reads, variables: Variables, pushed: Any = None) -> dict[str, Any]:
        """The data of the answer, as dicts and lists; blocks while it reads.

        Args:
            reads: what the operation reads, on a connection if the plan needs the database.
            variables: the variables, for which this must be the plan.
            pushed: what the field of a subscription has yielded.

        Raises whatever goes wrong in any field: which one does not matter, as the operation is then
        resolved field by field.
        """
        reads.processes_shape = self._processes_shape
        return self._root.run(Run(reads, self._arguments(variables)), pushed)

    @property
    def is_shared(self) -> bool:
        """Whether it may run for many operations at once."""
        return self._root.shared is not None

    def run_many(self, reads: Reads, each: Sequence[Variables]) -> list[dict[str, Any]]:
        """The data of the answers to several operations, from the variables of each.

        They are read together, so ``reads`` belongs to all of them. Raises as :meth:`run`, whatever
        goes wrong for any of them. The plan must be shared.
        """
        assert self._root.shared is not None
        reads.processes_shape = self._processes_shape
        arguments = [self._arguments(variables) for variables in each]
        # Below the root, the arguments of all are the same.
        return self._root.shared.run(Run(reads, arguments[0]), arguments)

    def _arguments(self, variables: Variables) -> Arguments:
        known = variables.arguments

        def arguments(place: int) -> Mapping[str, Any]:
            if place not in known:
                known[place] = self._places[place].values(variables.values, self._schema)
            return known[place]

        return arguments


class Plans:
    """The plans of one operation, each made when it is asked for.

    Args:
        schema: the schema.
        document: the document, which is valid.
        operation: one of its operations.
    """

    def __init__(
        self, schema: Schema, document: DocumentNode, operation: OperationDefinitionNode
    ) -> None:
        self._schema = schema
        self._operation = operation
        self._fragments = fragments_of(document)
        conditions = _Conditions()
        visit(document, conditions)
        self._conditions = sorted(conditions.variables)
        self._plans: dict[tuple[Any, ...], Plan | None] = {}
        self._variables: dict[bytes, Variables] = {}
        """The latest short ones, by their JSON: pages ask for the same again and again."""

    def variables(self, given: Mapping[str, Any]) -> Variables | None:
        """The coerced variables; None where they are wrong."""
        try:
            key = orjson.dumps(given)
        except orjson.JSONEncodeError:  # they are nested too deeply
            return self._coerced(given)
        found = self._variables.get(key)
        if found is None:
            found = self._coerced(given)
            if found is not None and len(key) <= KEPT_VARIABLES_BYTES:
                if len(self._variables) >= KEPT_VARIABLES:
                    del self._variables[next(iter(self._variables))]
                self._variables[key] = found
        return found

    def _coerced(self, given: Mapping[str, Any]) -> Variables | None:
        definitions = self._operation.variable_definitions or ()
        found = get_variable_values(self._core, definitions, dict(given))
        return None if isinstance(found, list) else Variables(found)

    @property
    def fields(self) -> int:
        """How many fields its plans have; variables that are kept count as much as some."""
        fields = sum(plan.fields for plan in self._plans.values() if plan is not None)
        return fields + VARIABLES_FIELDS * len(self._variables)

    @property
    def _core(self) -> GraphQLSchema:
        return self._schema._schema

    def prepare(self, given: Mapping[str, Any]) -> tuple[Plan, Variables] | None:
        """The plan for these variables, and the coerced variables.

        None where these are wrong, or the operation has no plan for them.
        """
        variables = self.variables(given)
        plan = None if variables is None else self.plan(variables)
        return None if plan is None or variables is None else (plan, variables)

    def plan(self, variables: Variables) -> Plan | None:
        """The plan for these variables; None where the operation has none."""
        chosen = tuple(variables.values.coerced.get(name) for name in self._conditions)
        if chosen not in self._plans:
            if len(self._plans) >= PLANS_OF_OPERATION:
                self._plans.clear()
            self._plans[chosen] = self._compile(dict(zip(self._conditions, chosen, strict=True)))
        return self._plans[chosen]

    def _compile(self, conditions: Mapping[str, Any]) -> Plan | None:
        selection = Selection(self._core, self._fragments, conditions)
        if self._operation.directives:
            return None
        try:
            if self._operation.operation is OperationType.SUBSCRIPTION:
                return self._subscription(selection)
            compiler = Compiler(self._core, selection)
            query = compiler.query(self._operation.selection_set)
        except NotPlannable:
            return None
        root = Root(
            lambda run, _: query.run(run, [None], ())[0],
            bool(query.children),
            SharedRoot.of(query, compiler.places),
        )
        return Plan(self._schema, root, compiler)

    def _subscription(self, selection: Selection) -> Plan:
        subscription = self._core.subscription_type
        assert subscription is not None
        # The root of a valid subscription has one field.
        [(key, nodes)] = selection.collect(subscription, [self._operation.selection_set]).items()
        below = [node.selection_set for node in nodes]
        name = nodes[0].name.value
        if name == SNAPSHOTS:
            compiler = Compiler(self._core, selection)
            task = compiler.snapshot(below)
            root = Root(
                lambda run, shown: {key: task.run(run, [shown.row], ())[0]}, bool(task.children)
            )
        elif name == EVENTS:
            compiler = events = PayloadCompiler(self._core, selection)
            edge = get_named_type(subscription.fields[name].type)
            assert isinstance(edge, GraphQLObjectType)
            edges = events.payload(edge, below)
            root = Root(lambda run, shown: {key: edges.run(run, [shown])[0]}, False)
        else:
            raise NotPlannable(name)
        return Plan(self._schema, root, compiler)


class _Conditions(Visitor):
    """Finds the variables that decide what is included."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: set[str] = set()

    def enter_directive(self, node: Any, *_: Any) -> None:
        if node.name.value in CONDITIONS:
            for argument in node.arguments:
                if isinstance(argument.value, VariableNode):
                    self.variables.add(argument.value.name.value)


class Compiled(Protocol):
    """What is kept of an operation."""

    @property
    def fields(self) -> int:
        """How many fields it has."""


C = TypeVar("C", bound=Compiled)


class PlanCache(Generic[C]):
    """The plans of the latest operations, of bounded size.

    Args:
        make: makes the plans of an operation of a document, which is valid.
    """

    def __init__(self, make: Callable[[DocumentNode, OperationDefinitionNode], C]) -> None:
        self._make = make
        self._cached: OrderedDict[tuple[int, int], tuple[DocumentNode, C]] = OrderedDict()
        self.hits = 0
        """How often the plans of an operation were in the cache."""
        self.misses = 0
        """How often they were not."""

    def __len__(self) -> int:
        """The number of operations whose plans are kept."""
        return len(self._cached)

    def plans(self, document: DocumentNode, operation: OperationDefinitionNode) -> C:
        """The plans of an operation of a document, which is valid."""
        # Nodes are compared by their content, which takes long; the cache keeps these alive.
        key = id(document), id(operation)
        if key in self._cached:
            self.hits += 1
            self._cached.move_to_end(key)
            return self._cached[key][1]
        self.misses += 1
        while sum(plans.fields for _, plans in self._cached.values()) > KEPT_FIELDS:
            self._cached.popitem(last=False)
        if len(self._cached) >= KEPT_OPERATIONS:
            self._cached.popitem(last=False)
        plans = self._make(document, operation)
        self._cached[key] = document, plans
        return plans
