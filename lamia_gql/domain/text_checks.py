"""Checks of names and texts that users provide."""

from __future__ import annotations

import re

from lamia_gql.domain.errors import ErrorCode, UserError

ZWJ = "\u200d"
"""The zero-width joiner."""
EMOJI = "[\u2190-\u2bff\U0001f000-\U0001faff]"
JOINER = re.compile(f"(?:(?<={EMOJI})|(?<={EMOJI}\ufe0f)){ZWJ}(?={EMOJI})")
"""A joiner between two emoji, which makes one of them. Anywhere else, nobody would see by what two
names differ."""


def check_name(name: str, limit: int, field: str) -> str:
    """The name, if it is safe in a URL path, in a shell script and in both databases.

    Raises :class:`UserError`.
    """
    if not name or len(name) > limit:
        problem = (
            "is empty" if not name else f"has {len(name)} characters; at most {limit} are allowed"
        )
    elif not JOINER.sub("", name).isprintable() or name != name.strip():
        problem = "has control characters, or spaces at the start or end"
    elif "/" in name or name.startswith("@") or name in (".", ".."):
        problem = "has a slash, begins with @, or is . or .."
    else:
        return name
    raise UserError(ErrorCode.NAME_INVALID, f"{field} {problem}.", field)


def check_text(text: str | None, limit: int, field: str) -> str | None:
    """The text, if it can be stored. Raises :class:`UserError`."""
    if text is None:
        return None
    if len(text) > limit:
        problem = f"has {len(text)} characters; at most {limit} are allowed"
    elif not is_storable(text):
        problem = "has characters that can't be stored"
    else:
        return text
    raise UserError(ErrorCode.TEXT_INVALID, f"{field} {problem}.", field)


def is_storable(text: str) -> bool:
    """Whether both engines can store the text: no null character, no unpaired surrogate."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
