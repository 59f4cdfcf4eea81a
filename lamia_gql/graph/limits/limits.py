"""Limits on a document as it is written; what it costs to answer is another matter.

Fragments are counted once and remembered, never expanded: a document that would unfold to
2^60 fields is measured as quickly as any other.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphql import GraphQLError, Source, parse
from graphql.language import DocumentNode

from lamia_gql.domain.errors import ErrorCode, LimitExceeded
from lamia_gql.domain.settings import Settings
from lamia_gql.graph.limits.document_summary import Field, Selections, Shape, too_deep

Level = dict[str, tuple[int, int]]
"""Response keys of one place in the answer, each with the weight of all its fields, and of the
heaviest one."""


def parse_document(settings: Settings, text: str) -> DocumentNode:
    """The document, parsed.

    The parser stops at the first token too many, before it has read the rest. Raises
    :class:`LimitExceeded`, and ``GraphQLError`` where the text is no GraphQL.
    """
    if len(text) > settings.max_document_characters:
        raise LimitExceeded(
            ErrorCode.DOCUMENT_TOO_LONG,
            f"The document has {len(text)} characters, of at most"
            f" {settings.max_document_characters}: hand data over as variables.",
            settings.max_document_characters,
        )
    limit = settings.max_document_tokens
    try:
        return parse(Source(text), max_tokens=limit)
    except GraphQLError as error:
        if f"Document contains more than {limit} tokens" in error.message:
            raise LimitExceeded(
                ErrorCode.TOO_MANY_TOKENS,
                f"The document has more than {limit} tokens: hand data over as variables.",
                limit,
            ) from None
        if "nested too deeply" in error.message:
            raise too_deep(settings.max_depth) from None
        raise


def check_shape(settings: Settings, shape: Shape) -> None:
    """Hold a document against the limits. Raises :class:`LimitExceeded`."""
    for number, limit, code, what in (
        (shape.aliases, settings.max_aliases, ErrorCode.TOO_MANY_ALIASES, "aliases"),
        (shape.directives, settings.max_directives, ErrorCode.TOO_MANY_DIRECTIVES, "directives"),
    ):
        if number > limit:
            raise LimitExceeded(
                code, f"The document has {number} {what}, of at most {limit}.", limit
            )
    if _depth(shape) > settings.max_depth:
        raise too_deep(settings.max_depth)
    if _Duplicates(shape).count() > settings.max_duplicates:
        raise LimitExceeded(
            ErrorCode.TOO_MANY_DUPLICATES,
            f"The document asks for more than {settings.max_duplicates} fields a second time in the"
            " same place: merge them, or give them aliases.",
            settings.max_duplicates,
        )


def _depth(shape: Shape) -> int:
    depths: dict[str, int] = {}

    def of(selections: Selections) -> int:
        below = max(
            (0 if f.selections is None else of(f.selections) for f in selections.fields),
            default=-1,
        )
        return max(below + 1, max((depths[name] for name in selections.spreads), default=0))

    for name, fragment in shape.fragments.items():
        depths[name] = of(fragment.selections)
    return max((of(operation.selections) for operation in shape.operations), default=0)


class _Duplicates:
    """Counts the fields that validation has to compare with others of their response key.

    In every selection set, with the fragments that it spreads: of the fields that share a key, all
    but the heaviest one, where the weight of a field is one and that of all that is below it; a
    fragment there, which has to be compared even where it is empty, weighs one and what it has.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.sets: dict[int, int] = {}
        self.weights: dict[str, int] = {}
        self.levels: dict[str, Level] = {}
        self.spreads: dict[frozenset[str], Level] = {}

    def count(self) -> int:
        """The number, of the whole document."""
        for name, fragment in self.shape.fragments.items():
            self.levels[name] = self._own(fragment.selections)
            self.weights[name] = 1 + sum(self._below(f) for f in fragment.selections.fields)
        return sum(
            self._repeated(selections)
            for definition in (*self.shape.operations, *self.shape.fragments.values())
            for selections in definition.sets
        )

    def _below(self, f: Field) -> int:
        return 1 if f.selections is None else 1 + self._weight(f.selections)

    def _weight(self, selections: Selections) -> int:
        # By identity: a selection set is an object that stays as long as its shape.
        weight = self.sets.get(id(selections))
        if weight is None:
            weight = sum(self._below(f) for f in selections.fields)
            weight += sum(self.weights[name] for name in self.shape.spread(selections))
            self.sets[id(selections)] = weight
        return weight

    def _own(self, selections: Selections) -> Level:
        weights = [(f.key, self._below(f)) for f in selections.fields]
        return _joined((key, (weight, weight)) for key, weight in weights)

    def _repeated(self, selections: Selections) -> int:
        level = self._own(selections)
        if selections.spreads:
            spread = self._spread(self.shape.spread(selections))
            level = _joined((*level.items(), *spread.items())) if level else spread
        return sum(total - heaviest for total, heaviest in level.values())

    def _spread(self, names: frozenset[str]) -> Level:
        if names not in self.spreads:
            self.spreads[names] = _joined(
                item for name in names for item in self.levels[name].items()
            )
        return self.spreads[names]


def _joined(items: Iterable[tuple[str, tuple[int, int]]]) -> Level:
    level: Level = {}
    for key, (total, heaviest) in items:
        if key in level:
            before, heaviest_before = level[key]
            total, heaviest = before + total, max(heaviest_before, heaviest)
        level[key] = total, heaviest
    return level
