"""Recorded executions of workflows in WfFormat, small ones, for ``lamia-gql replay``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def workflow(folder: Path) -> Path:
    """A small WfFormat execution: ten parallel splits, then a merge."""
    splits = [f"split_{n}" for n in range(10)]
    execution = [
        {
            "id": name,
            "runtimeInSeconds": 60.0 + 6 * place,
            "command": {"program": "split"},
            "machines": [f"node{place % 3}"],
        }
        for place, name in enumerate(splits)
    ]
    execution.append({"id": "merge", "runtimeInSeconds": 30.0, "command": {"program": "merge"}})
    document = {
        "name": "small",
        "schemaVersion": "1.5",
        "workflow": {
            "specification": {
                "tasks": [
                    *({"name": s, "id": s, "parents": [], "children": ["merge"]} for s in splits),
                    {"name": "merge", "id": "merge", "parents": splits, "children": []},
                ]
            },
            "execution": {
                "makespanInSeconds": 150,
                "executedAt": "20260101T000000Z",
                "tasks": execution,
                "machines": [{"nodeName": f"node{n}"} for n in range(3)],
            },
        },
    }
    path = folder / "small.json"
    path.write_text(json.dumps(document))
    return path


def nextflow_execution() -> dict[str, Any]:
    """Two alignments, the second of which waited 40 seconds, then a report."""
    names = {"NF.ALIGN_1": "NF.ALIGN (a)", "NF.ALIGN_2": "NF.ALIGN (b)", "NF.REPORT_3": "NF.REPORT"}
    script = "set -e\nalign --threads 2 \\\n  sample.fastq > " + 300 * "x"
    parents = {"NF.REPORT_3": ["NF.ALIGN_1", "NF.ALIGN_2"]}
    starts = {"NF.ALIGN_1": "00:00:00", "NF.ALIGN_2": "00:00:40", "NF.REPORT_3": "00:01:40"}
    return {
        "name": "nf",
        "schemaVersion": "1.6",
        "workflow": {
            "specification": {
                "tasks": [
                    {"id": key, "name": name, "parents": parents.get(key, []), "children": []}
                    for key, name in names.items()
                ]
            },
            "execution": {
                "makespanInSeconds": 130,
                "tasks": [
                    {
                        "id": key,
                        "executedAt": f"2026-01-01T{starts[key]}+00:00",
                        "runtimeInSeconds": 30.0 if key == "NF.REPORT_3" else 60.0,
                        "command": {"program": script + key, "arguments": []},
                        "coreCount": 2,
                        "avgCPU": 150.0,
                        "memoryInBytes": 2_000_000_000,
                        "readBytes": 5_000_000,
                        "writtenBytes": 7_000_000,
                    }
                    for key in names
                ],
            },
        },
    }
