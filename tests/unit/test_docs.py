"""The documentation is complete with respect to the code, and has no broken links."""

from __future__ import annotations

import re
from pathlib import Path

from lamia_gql.domain.errors import MEANINGS, ErrorCode
from lamia_gql.domain.settings import Settings
from tests.support.harness import run_cli

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]


def test_every_code_is_explained() -> None:
    """The page of errors has every code with its meaning, and no other."""
    page = (ROOT / "docs" / "errors.md").read_text()
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+) \|$", page, re.MULTILINE))
    assert rows == {code.value: meaning for code, meaning in MEANINGS.items()}
    assert set(MEANINGS) == set(ErrorCode)


def test_every_setting_is_explained() -> None:
    """The page of settings has every setting with its default and meaning, and no other."""
    page = (ROOT / "docs" / "settings.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+)` \| (.+?) \| (.+) \|$", page, re.MULTILINE)
    assert rows == [
        (name, "none" if field.default is None else f"`{field.default}`", field.description)
        for name, field in Settings.model_fields.items()
    ]


def test_every_command_is_explained() -> None:
    """The page of the command line has every command."""
    page = (ROOT / "docs" / "commands.md").read_text()
    shown = re.findall(r"^  ([a-z]+)  ", run_cli("--help").stdout, re.MULTILINE)
    assert shown
    assert set(re.findall(r"^\| `([a-z]+)", page, re.MULTILINE)) == set(shown)


def test_links_are_not_broken() -> None:
    """Links between the pages of the repository are not broken."""
    broken = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []
