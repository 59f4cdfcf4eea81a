"""What a release consists of: licences, and the software bill of materials."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion

from docs.components import all_packages, write_bill, write_page

ROOT = Path(__file__).parents[2]
ACCEPTED = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PSF-2.0"),
    # These ask for more only from those who change the packages.
    *("LGPL-3.0-only", "MPL-2.0"),
}
"""Licences of packages that may be used."""


def test_licences_are_listed_and_accepted() -> None:
    """The page is that of the present packages, and whoever runs the server may do so."""
    assert (ROOT / "docs" / "licences.md").read_text() == write_page(), "run `make licences`"
    for package in all_packages():
        assert set(re.findall(r"[\w.-]+", package.licence)) - {"AND", "OR"} <= ACCEPTED, package


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the validator's own libraries
def test_the_bill_of_materials_is_valid_and_what_is_locked() -> None:
    """It is valid CycloneDX, and has the locked versions of what the package needs, no more."""
    # It takes seconds to load, and every process of the tests loads this module.
    from cyclonedx.validation.json import JsonStrictValidator

    text = write_bill()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    components = json.loads(text)["components"]
    pins = locked("extras")
    found = {one["name"]: one["version"] for one in components if "pkg:pypi" in one["purl"]}
    assert {"strawberry-graphql", "psycopg", "uvloop"} <= set(found)
    # Of every extra.
    assert {"apprise", "opentelemetry-sdk", "psycopg", "pyjwt"} <= set(found)
    assert found.items() <= pins.items()
    assert any(one["purl"].startswith("pkg:npm/react@") for one in components)


def test_locks_agree() -> None:
    """What is locked for several purposes has one version, and every package has its hashes."""
    develop = locked("develop")
    for name in ("run", "extras", "node"):
        assert locked(name).items() <= develop.items(), name
    for path in (ROOT / "requirements").glob("*.lock"):
        text = path.read_text()
        assert len(re.findall(r"^\S+==", text, re.MULTILINE)) == len(
            re.findall(r"^\S+==.*\\\n    --hash=sha256:", text, re.MULTILINE)
        ), path.name
    # Needed to build the package only.
    assert {"hatchling", "editables"} <= set(locked("run")) - set(locked("extras"))


def locked(name: str) -> dict[str, str]:
    """The versions in a lock, by the names of their packages."""
    lock = (ROOT / "requirements" / f"{name}.lock").read_text()
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE))
