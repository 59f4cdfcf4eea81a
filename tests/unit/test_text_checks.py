"""Names that are accepted and refused."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.text_checks import check_name

ZWJ = "\u200d"
PICTURES = "👩👨🧑👧👦🔬🚀💻🏳🌈🏴☠❤🔥👁🗨🐻❄♀♂⚕➡↔⚧🏽"
LETTERS = st.characters(categories=["L", "N", "P", "S"], exclude_characters="/@.")
EMOJI = st.builds(str.__add__, st.sampled_from(PICTURES), st.sampled_from(["", "\ufe0f"]))
REFUSED = [
    "",
    "a/b",
    "@a",
    ".",
    "..",
    " a",
    "a ",
    "a\n",
    "a\0b",
    "a\u200db",
    "\u200d👩",
    "👩\u200d",
]
REFUSED += ["a\u200b", "a\u202eb", "\ud800", "a\ufe0f\u200d👩", "👩\u200d\u200d🔬"]
ACCEPTED = ["50% of ? & ü #1", "👩‍🔬", "run 👨‍👩‍👧‍👦", "🏳️‍🌈", "🧑🏽‍🚀-7", "🙂‍↔️", "🇩🇪", "1️⃣"]


def is_accepted(name: str) -> bool:
    """Whether a name has allowed characters only."""
    try:
        return check_name(name, 1000, "name") == name
    except UserError as error:
        return error.code is not ErrorCode.NAME_INVALID


@given(st.text(LETTERS), st.lists(EMOJI, min_size=1), st.text(LETTERS))
def test_emoji_may_be_joined(before: str, emoji: list[str], after: str) -> None:
    """A name may have emoji that joiners make of others, wherever they stand in it."""
    assert is_accepted(before + ZWJ.join(emoji) + after)


@given(st.text(st.sampled_from(f"ab7é字-{PICTURES}{ZWJ}\ufe0f"), min_size=1))
def test_joiners_are_between_emoji_only(name: str) -> None:
    """Two names never differ by a joiner that nobody sees."""
    pictures = tuple(PICTURES)
    assert is_accepted(name) == all(
        left.removesuffix("\ufe0f").endswith(pictures) and right.startswith(pictures)
        for left, right in pairwise(name.split(ZWJ))
    )


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """What a path, a script, a database or a reader could not handle."""
    assert not is_accepted(name)


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name: str) -> None:
    """Names of people who like pictures."""
    assert is_accepted(name)
