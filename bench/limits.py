"""Measures how long a document keeps the server busy before it is executed or refused.

Prints the CPU time for the worst known documents, in milliseconds. It is the best of five runs, to
reduce the influence of other processes.

    .venv/bin/python -m bench.limits
"""

from __future__ import annotations

import gc
import time

from graphql import GraphQLError, get_introspection_query

from lamia_gql.domain.errors import ErrorCode, LimitExceeded
from lamia_gql.domain.settings import Settings
from lamia_gql.graph.limits.documents import Documents
from lamia_gql.graph.schema import make_schema
from tests.support.documents import BEYOND_LIMITS, WITHIN_LIMITS

RUNS = 5


def main() -> None:
    """Measure all documents, and print them from the fastest to the slowest."""
    schema = make_schema()._schema
    documents = Documents(Settings.model_construct())
    # As at the start of the server.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)

    def measure(text: str) -> tuple[float, str]:
        best, outcome = 1e9, ""
        for _ in range(RUNS):
            begin = time.process_time()
            try:
                document = documents.parse(schema, text)
                if document.cost(None, {}) > documents.settings.max_cost:
                    raise LimitExceeded(ErrorCode.TOO_COSTLY, "", documents.settings.max_cost)
                outcome = f"{len(document.errors)} errors" if document.errors else "valid"
            except LimitExceeded as error:
                outcome = error.code
            except GraphQLError as error:
                outcome = error.message.splitlines()[0]
            best = min(best, time.process_time() - begin)
        return best * 1e3, outcome

    texts = {
        "GraphiQL's introspection": get_introspection_query(input_value_deprecation=True),
        **WITHIN_LIMITS,
        **{f"beyond: {name}": text for name, (_, text) in BEYOND_LIMITS.items()},
    }
    measured = sorted((*measure(text), name) for name, text in texts.items())
    for milliseconds, outcome, name in measured:
        print(f"{milliseconds:7.2f} ms  {name:40} {outcome}")
    cached = documents.read(schema, texts["GraphiQL's introspection"])
    assert not cached.errors
    begin = time.process_time()
    for _ in range(10_000):
        documents.read(schema, texts["GraphiQL's introspection"]).cost(None, {})
    print(f"{(time.process_time() - begin) * 100:7.2f} µs  a cached document")


if __name__ == "__main__":
    main()
