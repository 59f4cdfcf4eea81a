"""Documents of clients: parsed, measured and validated once, then cached."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection, Hashable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from graphql import (
    SKIP,
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    specified_rules,
    validate,
    visit,
)
from graphql.language import Visitor
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from lamia_gql.domain.errors import AccessDenied, ErrorCode, LimitExceeded
from lamia_gql.domain.settings import Settings
from lamia_gql.graph.limits.cost import CostInputs, operation_cost
from lamia_gql.graph.limits.document_limits import check_summary, parse_document
from lamia_gql.graph.limits.document_summary import DocumentSummary, summarize_document
from lamia_gql.graph.limits.persisted_documents import (
    PersistedDocuments,
    read_persisted_documents,
)

CACHED_DOCUMENTS = 256
CACHED_BYTES = 16 << 20
"""The memory that cached documents may take, as :attr:`Document.size` estimates it."""
TOKEN_BYTES = 800
"""What a token takes, parsed, summarized and validated: 100 to 750 bytes were measured."""
CHARACTER_BYTES = 4
"""What a character takes at most."""
KEPT_COSTS = 64
"""How many costs of a document are kept: they differ by the sizes of lists in the variables."""
MAX_ERRORS = 5
"""Validation stops after this number of errors: each costs time, and few are read."""
RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
CLOSED_RULES = (*RULES, NoSchemaIntrospectionCustomRule)
"""Those of a server that does not show its schema."""


class Document:
    """A document within the limits; its properties are computed once."""

    def __init__(
        self,
        schema: GraphQLSchema,
        text: str,
        node: DocumentNode,
        summary: DocumentSummary,
        rules: Collection[type[ASTValidationRule]],
    ) -> None:
        self._rules = rules
        self.node = node
        self.size = TOKEN_BYTES * (node.token_count or 0) + CHARACTER_BYTES * len(text)
        """The memory that it takes, in bytes: an upper estimate."""
        self._schema = schema
        self._summary = summary
        self._cost_inputs = CostInputs(summary)
        self._costs: dict[Hashable, int] = {}

    @cached_property
    def errors(self) -> list[GraphQLError]:
        """The errors that validation finds."""
        found = validate(self._schema, self.node, self._rules, MAX_ERRORS)
        for error in found:
            if isinstance(error.original_error, ValueError):
                # Python refuses to convert an integer of thousands of digits. That is an error of
                # the document, not an unexpected one.
                error.original_error = None
        return found

    @cached_property
    def declared_variables(self) -> frozenset[str]:
        """The names of the variables that its operations declare."""
        return frozenset(
            definition.variable.name.value
            for operation in self._summary.operations
            for definition in operation.node.variable_definitions or ()
        )

    def cost(self, name: str | None, variables: Mapping[str, Any]) -> int:
        """The cost of the operation with this name, or else of the first one."""
        operations = self._summary.operations
        names = [each.node.name.value if each.node.name else None for each in operations]
        place = names.index(name) if name in names else 0
        key = place, self._cost_inputs.key(variables)
        if key not in self._costs:
            if len(self._costs) >= KEPT_COSTS:
                self._costs.clear()
            self._costs[key] = operation_cost(self._summary, operations[place], variables)
        return self._costs[key]

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """The operation with this name, or the only one; None if there is no such operation."""
        found = [
            node
            for node in self.node.definitions
            if isinstance(node, OperationDefinitionNode)
            and (name is None or (node.name is not None and node.name.value == name))
        ]
        return found[0] if len(found) == 1 else None

    def subscription_root(self, name: str | None) -> FieldNode | None:
        """The root field of the subscription with this name, or of the only operation.

        None if it is not a valid subscription.
        """
        node = self.operation(name)
        if node is None or node.operation is not OperationType.SUBSCRIPTION or self.errors:
            return None
        # The root of a valid subscription has one field, though perhaps several times.
        fragments = self._summary.fragments
        selection = node.selection_set.selections[0]
        while not isinstance(selection, FieldNode):
            if isinstance(selection, FragmentSpreadNode):
                selection = fragments[selection.name.value].node.selection_set.selections[0]
            else:
                assert isinstance(selection, InlineFragmentNode)
                selection = selection.selection_set.selections[0]
        return selection

    @cached_property
    def uses(self) -> Counter[str]:
        """How often its operations and fragments use variables, by their names."""
        found = _Uses()
        visit(self.node, found)
        return found.number


class _Uses(Visitor):
    """Counts the uses of variables."""

    def __init__(self) -> None:
        super().__init__()
        self.number: Counter[str] = Counter()

    def enter_variable_definition(self, *_: Any) -> Any:
        return SKIP

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.number[node.name.value] += 1


class Documents:
    """A cache of the latest documents, of bounded number and size.

    Refused documents are not cached: they cost little.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._rules = RULES if settings.introspection else CLOSED_RULES
        self._cached: OrderedDict[str, Document] = OrderedDict()
        self._size = 0
        self.persisted: PersistedDocuments | None = None
        """The only documents that are executed; None if all are."""
        self.hits = 0
        """How often a document was in the cache."""
        self.misses = 0
        """How often it was not."""

    def __len__(self) -> int:
        """The number of documents that are cached."""
        return len(self._cached)

    def allow_persisted_only(self, schema: GraphQLSchema, folder: Path) -> None:
        """Execute the documents of this folder, and our own, only.

        Raises :class:`UnusableDocuments`.
        """
        self.persisted = read_persisted_documents(folder, lambda text: self.parse(schema, text))

    def read(self, schema: GraphQLSchema, text: str) -> Document:
        """A document of this schema, which must always be the same one.

        Raises :class:`LimitExceeded`, :class:`AccessDenied` and ``GraphQLError``.
        """
        document = self._cached.get(text)
        if document is None:
            self.misses += 1
            document = self._cached[text] = self.parse(schema, text)
            self._size += document.size
            while len(self._cached) > CACHED_DOCUMENTS or self._size > CACHED_BYTES:
                _, oldest = self._cached.popitem(last=False)
                self._size -= oldest.size
        else:
            self.hits += 1
            self._cached.move_to_end(text)
        return document

    def parse(self, schema: GraphQLSchema, text: str) -> Document:
        """Parse and measure a document.

        Raises :class:`LimitExceeded`, :class:`AccessDenied` and ``GraphQLError``.
        """
        node = parse_document(self.settings, text)
        if self.persisted is not None and not self.persisted.allow(node):
            raise AccessDenied(
                ErrorCode.DOCUMENT_NOT_ALLOWED,
                "This server executes the documents that its operator has named only, and this is"
                " none of them.",
            )
        summary = summarize_document(schema, self.settings, node)
        check_summary(self.settings, summary)
        return Document(schema, text, node, summary, self._rules)


class DocumentLimits(SchemaExtension):
    """Refuses operations beyond the limits before they are executed, and reports their cost."""

    def __init__(self, documents: Documents) -> None:
        super().__init__()
        self.documents = documents
        self.document: Document | None = None
        self.cost: int | None = None

    def on_parse(self) -> Iterator[None]:
        """Take the document from the cache, or parse it."""
        context = self.execution_context
        if context.query is not None:
            self.document = self.documents.read(context.schema._schema, context.query)
            context.graphql_document = self.document.node
        yield

    def on_validate(self) -> Iterator[None]:
        """Check the cost, then validate."""
        context = self.execution_context
        if self.document is not None:
            limit = self.documents.settings.max_cost
            self.cost = self.document.cost(context.operation_name, context.variables or {})
            if self.cost > limit:
                raise LimitExceeded(
                    ErrorCode.TOO_COSTLY,
                    f"The answer may have {self.cost} values, of at most {limit}: request less at"
                    " once.",
                    limit,
                )
            context.context.cost = self.cost
            context.pre_execution_errors = self.document.errors
        yield

    def get_results(self) -> dict[str, Any]:
        """The cost, for the ``extensions`` of the answer."""
        if self.cost is None:
            return {}
        return {"cost": {"requested": self.cost, "limit": self.documents.settings.max_cost}}
