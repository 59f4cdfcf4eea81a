"""What the attributes of a record say, in the terms of events."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from lamia_gql.adapters.signal_name import signal_name

CPU_TIME = r"Usr (\d+) (\d+):(\d+):(\d+), Sys (\d+) (\d+):(\d+):(\d+)"
DAG_NODE = r'DAG Node: (\S+)|DAGNodeName\s*=\s*"([^"]+)"'
"""A line of a submission; newer versions write attributes in brackets."""
MIB = 1024.0 * 1024.0


class RecordType(IntEnum):
    """The records that matter, by their numbers in HTCondor's documentation."""

    SUBMIT = 0
    EXECUTE = 1
    EVICTED = 4
    TERMINATED = 5
    IMAGE_SIZE = 6
    SHADOW_EXCEPTION = 7
    ABORTED = 9
    SUSPENDED = 10
    UNSUSPENDED = 11
    HELD = 12
    RELEASED = 13
    POST_SCRIPT = 16
    DISCONNECTED = 22
    RECONNECTED = 23
    RECONNECT_FAILED = 24
    JOB_AD = 28


def find_host(record: Mapping[str, Any]) -> str | None:
    """Return the machine of a job, by its own name if the record has it.

    A slot is ``slot1_2@node7.example.org``, with more before it in a glidein. Older versions have
    only an address, in which ``alias`` is the name.
    """
    slot = str(record.get("SlotName") or record.get("StartdName") or "")
    if "@" in slot:
        return slot.rpartition("@")[2]
    address = str(record.get("ExecuteHost") or record.get("StartdAddr") or "")
    found = re.search(r"[?&]alias=([^&>]+)", address) or re.match(
        r"<?\[?([^>?\]]+?)\]?:\d", address
    )
    return found[1] if found else address.strip("<>") or None


def find_end(record: Mapping[str, Any]) -> tuple[str, int | None, str | None]:
    """Return the class of an end, the exit code, and the name of the signal."""
    if record.get("TerminatedNormally"):
        code = _integer(record.get("ReturnValue"))
        return ("DONE" if code == 0 else "FAILED"), code, None
    number = _integer(record.get("TerminatedBySignal"))
    return "FAILED", None, None if number is None else signal_name(number)


def find_message(record: Mapping[str, Any]) -> str | None:
    """Return why something has happened, as HTCondor says it; None if nothing needs a reason."""
    for name in ("HoldReason", "Reason", "DisconnectReason", "Message"):
        if record.get(name):
            return str(record[name])
    kind = record["EventTypeNumber"]
    if kind == RecordType.RECONNECTED:
        return "Reconnected."
    if kind == RecordType.POST_SCRIPT and find_end(record)[0] != "DONE":
        return "The POST script of the DAG node failed."
    return {RecordType.EVICTED: "Evicted.", RecordType.SUSPENDED: "Suspended."}.get(kind)


def hold_codes(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the numbers that stand for the reason of a hold, as a payload."""
    names = {"HoldReasonCode": "holdReasonCode", "HoldReasonSubCode": "holdReasonSubCode"}
    return {given: record[name] for name, given in names.items() if name in record} or None


def find_node(record: Mapping[str, Any]) -> str | None:
    """Return the name of a job's node in its DAG; None outside of a DAG."""
    named = record.get("DAGNodeName")
    if named:
        return str(named)
    found = re.search(DAG_NODE, str(record.get("LogNotes") or ""))
    return (found[1] or found[2]) if found else None


def find_usage(record: Mapping[str, Any], wall_s: float | None) -> dict[str, float | None]:
    """Return the resources that a job has used and was given.

    Args:
        record: of its end, or of its size.
        wall_s: how long it has run by the log, for versions that do not tell.
    """
    executed = _number(record.get("TimeExecuteUsage"))
    resident = _number(record.get("ResidentSetSize"))
    memory = _number(record.get("MemoryUsage"))
    requested = _number(record.get("RequestMemory"))
    cpus = _number(record.get("Cpus"))
    return {
        "cpuSeconds": parse_cpu_time(record.get("RunRemoteUsage")),
        "wallSeconds": executed if executed is not None else wall_s,
        "maxRssBytes": resident * 1024 if resident else memory * MIB if memory else None,
        "cpus": cpus if cpus is not None else _number(record.get("RequestCpus")),
        "requestedMemoryBytes": requested * MIB if requested else None,
    }


def parse_cpu_time(text: object) -> float | None:
    """Return the seconds in ``Usr 0 00:01:02, Sys 0 00:00:01``: days, then hours."""
    found = re.match(CPU_TIME, text) if isinstance(text, str) else None
    if found is None:
        return None
    days, hours, minutes, seconds = (
        int(found[place]) + int(found[place + 4]) for place in range(1, 5)
    )
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def parse_index(value: object) -> int | None:
    """Return a non-negative number, which may be a text; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,10}\s*", value):
        return int(value)
    return _integer(value)


def _integer(value: object) -> int | None:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return int(value) if is_integer and isinstance(value, int) and value >= 0 else None


def _number(value: object) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and isinstance(value, (int, float)) and value >= 0 else None
