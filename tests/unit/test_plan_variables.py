"""The variables of an operation are coerced once, as long as they are short and asked for again."""

from __future__ import annotations

import pytest
from graphql import OperationDefinitionNode, parse

from lamia_gql.domain.settings import load
from lamia_gql.graph.plans.plan import KEPT_VARIABLES, KEPT_VARIABLES_BYTES, Plan, Plans, Variables
from lamia_gql.graph.schema import make_schema

QUERY = """query($name: String!, $all: Boolean = false, $first: Int) {
  task(name: $name) { name comment @include(if: $all) processes(first: $first) { nodes { name } } }
}"""


@pytest.fixture
def plans() -> Plans:
    """The plans of the query."""
    document = parse(QUERY)
    [operation] = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    return Plans(make_schema(load()), document, operation)


def prepare(plans: Plans, **given: object) -> tuple[Plan, Variables]:
    """The plan for these variables, and they themselves."""
    found = plans.prepare(given)
    assert found is not None
    return found


def test_the_same_variables_are_coerced_once(plans: Plans) -> None:
    """Others are not mixed up with them, though Python takes them for equal."""
    plan, variables = prepare(plans, name="t", first=1)
    assert prepare(plans, name="t", first=1) == (plan, variables)
    assert prepare(plans, name="t", first=1)[1] is variables
    for others in ({"name": "u", "first": 1}, {"name": "t"}, {"name": "t", "first": 1.0}):
        again, found = prepare(plans, **others)
        assert again is plan
        assert found is not variables
    assert prepare(plans, name="t", first=1, all=True)[0] is not plan


def test_wrong_variables_are_wrong_each_time(plans: Plans) -> None:
    """Also where equal ones, in Python, were right."""
    prepare(plans, name="t", first=1)
    for _ in range(2):
        assert plans.prepare({"name": None, "first": 1}) is None
        assert plans.prepare({"name": "t", "first": True}) is None


def test_few_and_short_ones_are_kept(plans: Plans) -> None:
    """They count for the memory of the plans; long ones are coerced each time."""
    long = "n" * KEPT_VARIABLES_BYTES
    assert prepare(plans, name=long)[1] is not prepare(plans, name=long)[1]
    before, first = plans.fields, prepare(plans, name="t0")[1]
    one = plans.fields - before
    assert one > 0
    for number in range(KEPT_VARIABLES):
        prepare(plans, name=f"t{number}")
    assert plans.fields == before + KEPT_VARIABLES * one
    assert prepare(plans, name="t0")[1] is first
    prepare(plans, name="one more")
    assert plans.fields == before + KEPT_VARIABLES * one
    assert prepare(plans, name="t0")[1] is not first
