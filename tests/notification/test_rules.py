"""The rules of notifications that need no server."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lamia_gql.domain.notifications import (
    Occasion,
    is_mail_address,
    occasion_mask,
    occasions_of,
    retry_delay,
)


@given(st.integers(1, 10_000))
def test_delays_double_up_to_an_hour(attempts: int) -> None:
    """From five seconds on, and each varies by a fifth, so that not all come at the same time."""
    delay = retry_delay(attempts).total_seconds()
    expected = min(5 * 2 ** (attempts - 1), 3600)
    assert 0.8 * expected <= delay <= 1.2 * expected


@given(st.sets(st.sampled_from(Occasion)))
def test_occasions_are_stored_as_bits(occasions: set[Occasion]) -> None:
    """Whatever their order, and however often each is named."""
    assert set(occasions_of(occasion_mask([*occasions, *occasions]))) == occasions


def test_addresses_are_plain() -> None:
    """One mailbox without a name; nothing that could add a header or a recipient."""
    for good in ("ada@example.org", "a.b+c@x-y.example", "root@localhost", "a'b@example.org"):
        assert is_mail_address(good), good
    for bad in (
        *("", "ada", "@example.org", "ada@", "ada@-x.org", "ada@x..org", "a b@example.org"),
        *(
            "a@b.org,c@d.org",
            "a@b.org;c@d.org",
            "<a@b.org>",
            "A <a@b.org>",
            "a@b.org\n",
            "a@b.org ",
        ),
        *("a@b@c.org", "ä@example.org", "a@exämple.org", f"{'a' * 250}@b.org", "a@[127.0.0.1]"),
    ):
        assert not is_mail_address(bad), bad
