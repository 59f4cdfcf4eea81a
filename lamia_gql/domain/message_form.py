"""The form of a message: what messages of one cause have in common."""

from __future__ import annotations

import hashlib
import re

_VARYING = re.compile(
    r"""
      # A path or a URL.
      (?P<path> (?: \b [a-z][a-z0-9+.-]* :/ )?
        (?: (?<![\w.~-]) [.~]{0,2} / [^\s:;,'"()<>\[\]{}|]+ ) )
      # A UUID, an address in memory, an IPv6 address, a hexadecimal number.
    | (?: \b [0-9a-f]{8} - (?: [0-9a-f]{4} - ){3} [0-9a-f]{12} \b )
    | (?: \b 0x [0-9a-f]+ \b )
    | (?: \b (?: [0-9a-f]{0,4} : ){3,7} [0-9a-f]{1,4} \b )
    | (?: \b (?= [0-9a-f]* [0-9] ) [0-9a-f]{6,} \b )
      # A number, a time, an IPv4 address.
    | (?: (?: (?<!\w) [-+] )? \d+ (?: [.:,]\d+ )* (?: e [-+]? \d+ )? )
    """,
    re.VERBOSE | re.IGNORECASE,
)


def message_form(message: str) -> str:
    """The message with one sign for whatever varies: ``…`` for a path, ``#`` for the rest.

    That is numbers, times, addresses, hexadecimal numbers and UUIDs. White space becomes one blank.
    """
    form = _VARYING.sub(lambda found: "…" if found["path"] else "#", message)
    return " ".join(form.split())


def message_key(message: str) -> int:
    """A number of 64 bits, with a sign, which is equal for messages of the same form."""
    return form_key(message_form(message))


def form_key(form: str) -> int:
    """The :func:`message_key` of the messages of a form."""
    # A form need not be the form of itself, so it is not made anew.
    digest = hashlib.blake2b(form.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
