"""Lists what a release consists of, with the licences.

``make licences`` writes ``docs/licences.md``; ``make dist`` writes a software bill of materials.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""Identifiers of licences that packages name by a classifier."""
HEAD = """# Licences

lamia-gql has the [MIT licence](../LICENSE). What it is installed with, and what its pages are built
of and by, has others. `make licences` writes this page; `make dist` writes the same, with versions,
as a CycloneDX file to `dist/`.
"""


class Package(NamedTuple):
    """A package that is part of a release."""

    kind: str
    """``pypi`` or ``npm``, as in package URLs."""
    name: str
    version: str
    licence: str
    """An SPDX expression."""


def python_packages() -> Iterator[Package]:
    """What the package needs to run, with all extras and all of that needs, as installed here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    waiting = [key for line in wanted for key in _needed(line, "")]
    seen = set()
    names = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        found = distribution(name)
        if name not in names:
            names.add(name)
            yield Package("pypi", name, found.version, _licence(found))
        for line in found.requires or ():
            waiting += _needed(line, extra)


def _needed(line: str, extra: str) -> list[tuple[str, str]]:
    """What a requirement of a package with an extra needs here: names, each with an extra or ""."""
    needed = Requirement(line)
    if needed.marker is not None and not needed.marker.evaluate({"extra": extra}):
        return []
    return [(needed.name.lower().replace("_", "-"), one) for one in ("", *needed.extras)]


def _licence(found: Distribution) -> str:
    """The licence that a distribution names, in one of three ways. Raises ``LookupError``."""
    metadata = found.metadata.json
    if expression := metadata.get("license_expression"):
        return str(expression)
    for classifier in metadata.get("classifier", ()):
        prefix, _, name = classifier.rpartition(" :: ")
        if prefix.startswith("License") and name in SPDX:
            return SPDX[name]
    named = str(metadata.get("license", ""))
    if named and "\n" not in named:
        return SPDX.get(named, named)
    raise LookupError(f"{metadata['name']} names no licence")


def npm_packages() -> Iterator[Package]:
    """What the pages are built of and by."""
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text())
    for path, entry in lock["packages"].items():
        if path and not (entry.get("dev") or entry.get("optional")):
            name = path.rpartition("node_modules/")[2]
            yield Package("npm", name, entry["version"], entry["license"])


def all_packages() -> list[Package]:
    """All packages, sorted; those of npm may be there in several versions."""
    return sorted({*python_packages(), *npm_packages()})


def write_page() -> str:
    """The page of the licences."""
    parts = [HEAD]
    for kind, title in (("pypi", "Python packages"), ("npm", "The pages")):
        names = defaultdict(set)
        for package in all_packages():
            if package.kind == kind:
                names[package.licence].add(package.name)
        rows = [f"| {one} | {', '.join(sorted(names[one]))} |" for one in sorted(names)]
        parts.append("\n".join([f"## {title}\n", "| licence | packages |", "| --- | --- |", *rows]))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def write_bill() -> str:
    """The software bill of materials, in the JSON of CycloneDX 1.6."""
    licences = LicenseFactory()
    package = distribution("lamia-gql")
    bill = Bom()
    bill.metadata.component = root = Component(
        name="lamia-gql",
        version=package.version,
        type=ComponentType.APPLICATION,
        licenses=[licences.make_from_string("MIT")],
        bom_ref="lamia-gql",
    )
    components = []
    for kind, name, version, licence in all_packages():
        group, _, short = name.rpartition("/")
        url = PackageURL(kind, group or None, short, version)
        made = Component(
            name=name,
            version=version,
            purl=url,
            bom_ref=str(url),
            licenses=[licences.make_from_string(licence)],
        )
        bill.components.add(made)
        components.append(made)
    bill.register_dependency(root, components)
    return make_outputter(bill, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)


if __name__ == "__main__":
    sys.stdout.write({"licences": write_page, "bill": write_bill}[sys.argv[1]]())
