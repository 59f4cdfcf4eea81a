"""Counts by size: what they tell is close to the values, and follows every change."""

from __future__ import annotations

import math
import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lamia_gql.domain.lifecycle import EMPTY, Occurrence, add, summarise
from lamia_gql.domain.usage_sketch import (
    ACCURACY,
    MAX_AMOUNT,
    MAX_BINS,
    MAX_BUCKETS,
    Bucket,
    UsageChanges,
    bucket_of,
    histogram,
    quantile,
)
from tests.support.strategies import job_histories

AMOUNTS = st.lists(st.integers(0, MAX_AMOUNT), min_size=1, max_size=50)


def buckets_of(amounts: list[int]) -> list[Bucket]:
    """The buckets of these amounts."""
    found: dict[int, list[int]] = {}
    for amount in amounts:
        found.setdefault(bucket_of(amount), []).append(amount)
    return [Bucket(bucket, len(found[bucket]), sum(found[bucket])) for bucket in sorted(found)]


@given(AMOUNTS, st.floats(0, 1))
def test_an_estimate_is_close(amounts: list[int], share: float) -> None:
    """Each share of the amounts is told within two bounds of a bucket; equal ones exactly."""
    exact = sorted(amounts)[max(1, math.ceil(share * len(amounts))) - 1]
    estimate = quantile(buckets_of(amounts), share)
    assert abs(estimate - exact) <= 2 * ACCURACY * exact + 1
    if len(set(amounts)) == 1:
        assert estimate == exact


@given(AMOUNTS)
def test_a_histogram_has_every_amount_in_its_bin(amounts: list[int]) -> None:
    """Bins follow each other, are few, and have all amounts."""
    bins = histogram(buckets_of(amounts))
    assert len(bins) <= MAX_BINS
    assert sum(each.jobs for each in bins) == len(amounts)
    assert all(one.end == other.begin for one, other in pairwise(bins))
    for each in bins:
        number = sum(each.begin * (1 - 1e-9) < a <= each.end * (1 + 1e-9) for a in amounts)
        assert abs(number - each.jobs) <= amounts.count(0) + amounts.count(1)


def test_the_number_of_buckets_is_bounded() -> None:
    """Even the largest amount has a bucket of a low number."""
    assert bucket_of(MAX_AMOUNT) < MAX_BUCKETS


@given(st.lists(job_histories, max_size=4), st.randoms(use_true_random=False))
def test_changes_add_up(jobs: list[list[Occurrence]], chance: random.Random) -> None:
    """Whatever order the events of jobs come in, the buckets are those of the jobs in the end."""
    arrivals = [(job, event) for job, life in enumerate(jobs) for event in life]
    chance.shuffle(arrivals)
    changed, known = UsageChanges(), [EMPTY] * len(jobs)
    for job, event in arrivals:
        new = add(known[job], event)
        changed.change(known[job], new)
        known[job] = new
    counted = UsageChanges()
    for life in jobs:
        counted.change(EMPTY, summarise(life))
    left = {key: bucket for key, bucket in changed.buckets.items() if bucket != (0, 0)}
    assert left == counted.buckets
    assert all(jobs > 0 <= total for jobs, total in left.values())
