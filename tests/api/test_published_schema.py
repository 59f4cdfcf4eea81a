"""The schema that front-ends are written against."""

from __future__ import annotations

from pathlib import Path

from tests.support.harness import run_cli


def test_the_published_schema_is_that_of_the_code() -> None:
    """The SDL in the repository is that of the code."""
    published = Path(__file__).parents[2] / "schema" / "schema.graphql"
    assert run_cli("schema").stdout == published.read_text()
