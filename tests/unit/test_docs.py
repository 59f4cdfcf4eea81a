"""The documentation is complete with respect to the code, and has no broken links."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from lamia_gql.domain.errors import MEANINGS, ErrorCode
from lamia_gql.domain.settings import Settings
from tests.support.harness import run_cli

ROOT = Path(__file__).parents[2]
NO_CODES = {
    "DELETE",
    "FINISHED",
    "HEAD",
    "JSON",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "PATCH",
    "POST",
    "SC_PAGE_SIZE",
    "TCP_USER_TIMEOUT",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
}
"""Words in capitals in the source that are no codes of errors."""
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]


def test_every_code_is_explained() -> None:
    """The page of errors has every code with its meaning, and no other."""
    page = (ROOT / "docs" / "errors.md").read_text().partition("## Errors of requests")[0]
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+) \|$", page, re.MULTILINE))
    assert rows == {code.value: meaning for code, meaning in MEANINGS.items()}
    assert set(MEANINGS) == set(ErrorCode)


def test_every_code_of_a_request_is_explained() -> None:
    """The codes that are not of the content are where they are used: any word in capitals."""
    page = (ROOT / "docs" / "errors.md").read_text().partition("## Errors of requests")[2]
    rows = re.findall(r"^\| `([A-Z_]+)` \| [45]\d\d \| .+\. \|$", page, re.MULTILINE)
    used = {
        node.value
        for package in ("api", "graph", "rest", "server")
        for file in (ROOT / "lamia_gql" / package).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"[A-Z][A-Z_]{3,}", node.value)
        # Variables of OpenTelemetry.
        and not node.value.startswith("OTEL_")
    }
    assert "METHOD_NOT_ALLOWED" in used
    assert sorted(rows) == sorted(used - set(ErrorCode) - NO_CODES)


def test_every_setting_is_explained() -> None:
    """The page of settings has every setting with its default and meaning, and no other."""
    page = (ROOT / "docs" / "settings.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+)` \| (.+?) \| (.+) \|$", page, re.MULTILINE)
    # Those of a theme have a table of their own.
    assert sorted(rows) == sorted(
        (name, _shown(field.default), field.description)
        for name, field in Settings.model_fields.items()
    )


def _shown(default: object) -> str:
    """A default value, as the page shows it."""
    if isinstance(default, list):
        return f"`{', '.join(default) or default}`"
    return "none" if default is None else f"`{default}`"


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
