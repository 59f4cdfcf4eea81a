"""Checks on the words that users give."""

from __future__ import annotations

from lamia_gql.domain.errors import ErrorCode, UserError


def check_name(name: str, limit: int, field: str) -> str:
    """The name, if it can be one: in an address, a shell script and a database on any engine.

    Raises :class:`UserError`.
    """
    if not name or len(name) > limit:
        problem = "is empty" if not name else f"has {len(name)} characters, of at most {limit}"
    elif not name.isprintable() or name != name.strip():
        problem = "has control characters, or blanks around it"
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
        problem = f"has {len(text)} characters, of at most {limit}"
    elif not is_storable(text):
        problem = "has characters that can't be stored"
    else:
        return text
    raise UserError(ErrorCode.TEXT_INVALID, f"{field} {problem}.", field)


def is_storable(text: str) -> bool:
    """Whether every engine can store the text: it has no zero byte and no half of a character."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
