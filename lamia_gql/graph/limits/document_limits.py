"""Limits on the text and structure of a document, independent of its cost.

Each fragment is measured once and never expanded, so a document that would expand to 2^60 fields
takes no longer than any other.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphql import GraphQLError, Source, parse
from graphql.language import DocumentNode

from lamia_gql.domain.errors import ErrorCode, LimitExceeded
from lamia_gql.domain.settings import Settings
from lamia_gql.graph.limits.document_summary import (
    DocumentSummary,
    FieldSummary,
    Selections,
    too_deep_error,
)

KeyWeights = dict[str, tuple[int, int]]
"""The response keys of one selection set, each with the weight of all its fields together, and with
that of the heaviest one."""


def parse_document(settings: Settings, text: str) -> DocumentNode:
    """Parse a document; the parser stops as soon as it has read too many tokens.

    Raises :class:`LimitExceeded`, and ``GraphQLError`` for a syntax error.
    """
    if len(text) > settings.max_document_characters:
        raise LimitExceeded(
            ErrorCode.DOCUMENT_TOO_LONG,
            f"The document has {len(text)} characters, of at most"
            f" {settings.max_document_characters}: pass data as variables.",
            settings.max_document_characters,
        )
    limit = settings.max_document_tokens
    try:
        return parse(Source(text), max_tokens=limit)
    except GraphQLError as error:
        if f"Document contains more than {limit} tokens" in error.message:
            raise LimitExceeded(
                ErrorCode.TOO_MANY_TOKENS,
                f"The document has more than {limit} tokens: pass data as variables.",
                limit,
            ) from None
        if "nested too deeply" in error.message:
            raise too_deep_error(settings.max_depth) from None
        raise


def check_summary(settings: Settings, summary: DocumentSummary) -> None:
    """Raise :class:`LimitExceeded` if a document exceeds one of the limits."""
    for number, limit, code, what in (
        (summary.alias_count, settings.max_aliases, ErrorCode.TOO_MANY_ALIASES, "aliases"),
        (
            summary.directive_count,
            settings.max_directives,
            ErrorCode.TOO_MANY_DIRECTIVES,
            "directives",
        ),
    ):
        if number > limit:
            raise LimitExceeded(
                code, f"The document has {number} {what}, of at most {limit}.", limit
            )
    if _depth(summary) > settings.max_depth:
        raise too_deep_error(settings.max_depth)
    if _DuplicateCounter(summary).count() > settings.max_duplicates:
        raise LimitExceeded(
            ErrorCode.TOO_MANY_DUPLICATES,
            f"The document asks for more than {settings.max_duplicates} fields repeatedly in the"
            " same place: merge them, or give them aliases.",
            settings.max_duplicates,
        )


def _depth(summary: DocumentSummary) -> int:
    depths: dict[str, int] = {}

    def of(selections: Selections) -> int:
        below = max(
            (0 if f.selections is None else of(f.selections) for f in selections.fields),
            default=-1,
        )
        return max(below + 1, max((depths[name] for name in selections.spreads), default=0))

    for name, fragment in summary.fragments.items():
        depths[name] = of(fragment.selections)
    return max((of(operation.selections) for operation in summary.operations), default=0)


class _DuplicateCounter:
    """Counts the fields that validation has to compare with others of the same response key.

    In every selection set, including the fragments that it spreads, all fields of a key count
    except the heaviest one. The weight of a field is 1 plus the weight of everything below it; a
    fragment below it weighs 1 plus its content, because even an empty one has to be compared.
    """

    def __init__(self, summary: DocumentSummary) -> None:
        self.summary = summary
        self.set_weights: dict[int, int] = {}
        self.fragment_weights: dict[str, int] = {}
        self.fragment_keys: dict[str, KeyWeights] = {}
        self.spread_keys: dict[frozenset[str], KeyWeights] = {}

    def count(self) -> int:
        """The number for the whole document."""
        for name, fragment in self.summary.fragments.items():
            self.fragment_keys[name] = self._own_keys(fragment.selections)
            self.fragment_weights[name] = 1 + sum(
                self._field_weight(f) for f in fragment.selections.fields
            )
        return sum(
            self._count_repeated(selections)
            for definition in (*self.summary.operations, *self.summary.fragments.values())
            for selections in definition.sets
        )

    def _field_weight(self, f: FieldSummary) -> int:
        return 1 if f.selections is None else 1 + self._set_weight(f.selections)

    def _set_weight(self, selections: Selections) -> int:
        # By identity, which is safe because the summary keeps its selection sets alive.
        weight = self.set_weights.get(id(selections))
        if weight is None:
            weight = sum(self._field_weight(f) for f in selections.fields)
            weight += sum(
                self.fragment_weights[name] for name in self.summary.all_spreads(selections)
            )
            self.set_weights[id(selections)] = weight
        return weight

    def _own_keys(self, selections: Selections) -> KeyWeights:
        weights = [(f.key, self._field_weight(f)) for f in selections.fields]
        return _merge((key, (weight, weight)) for key, weight in weights)

    def _count_repeated(self, selections: Selections) -> int:
        keys = self._own_keys(selections)
        if selections.spreads:
            spread = self._keys_of_spreads(self.summary.all_spreads(selections))
            keys = _merge((*keys.items(), *spread.items())) if keys else spread
        return sum(total - heaviest for total, heaviest in keys.values())

    def _keys_of_spreads(self, names: frozenset[str]) -> KeyWeights:
        if names not in self.spread_keys:
            self.spread_keys[names] = _merge(
                item for name in names for item in self.fragment_keys[name].items()
            )
        return self.spread_keys[names]


def _merge(items: Iterable[tuple[str, tuple[int, int]]]) -> KeyWeights:
    keys: KeyWeights = {}
    for key, (total, heaviest) in items:
        if key in keys:
            before, heaviest_before = keys[key]
            total, heaviest = before + total, max(heaviest_before, heaviest)
        keys[key] = total, heaviest
    return keys
