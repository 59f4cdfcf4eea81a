"""What the documentation prints, so that the tests can run it."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def find_recipe(page: str, name: str) -> str:
    """A block of code.

    Args:
        page: the name of the page, without its ending.
        name: what the comment at the top of the block says.
    """
    text = (DOCS / f"{page}.md").read_text()
    for block in re.findall(r"^```\w+\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        if f"# {name}\n" in block:
            return str(block)
    raise AssertionError(f"{page}.md has no recipe {name}")
