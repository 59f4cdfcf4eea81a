"""Reads the attributes of HTCondor's job ad and machine ad, which are files of a running job."""

from __future__ import annotations

import re

MAX_AD_BYTES = 4 * 1024 * 1024
"""How much of an ad is read."""


class ClassAd:
    """The attributes of one ad.

    Args:
        path: The file; without one, or if it can't be read, the ad is empty.
    """

    def __init__(self, path: str | None) -> None:
        self._text = ""
        try:
            if path:
                with open(path, encoding="utf-8", errors="replace") as file:
                    self._text = file.read(MAX_AD_BYTES)
        except OSError:
            pass  # a job without its ad still runs

    def find(self, *attributes: str) -> str | None:
        """Return the value of the first attribute that is a number or a text, without its quotes.

        Expressions are not evaluated, and count as missing.
        """
        for attribute in attributes:
            # Attribute names are case-insensitive.
            pattern = rf'^\s*{attribute}\s*=\s*(?:"([^"\\]*)"|([0-9.]+))\s*$'
            found = re.search(pattern, self._text, re.IGNORECASE | re.MULTILINE)
            if found:
                return found[2] if found[1] is None else found[1]
        return None
