"""Why jobs ended or are held, in words for a terminal."""

from __future__ import annotations

import re
from typing import Any

from lamia_gql.domain.text_checks import JOINER, ZWJ

ADDRESS = re.compile(r"[\d.]+|.*:.*")
"""A host that is told by its IP address has no domain."""


def describe_cause(told: dict[str, Any]) -> str:
    """Return the cause that a ``Job`` or a ``FailureGroup`` has, like ``out of memory (exit 137)``.

    It is empty if nothing was told.
    """
    message, exit_text = make_printable(told["message"] or "").strip(), _describe_exit(told)
    if not message:
        return exit_text
    return f"{message} ({exit_text})" if exit_text else message


def _describe_exit(told: dict[str, Any]) -> str:
    code, signal = told["exitCode"], told["signal"]
    if code is None:
        return "" if signal is None else f"killed by {make_printable(signal)}"
    return f"exit {code}" + ("" if signal is None else f", {make_printable(signal)}")


def describe_hosts(group: dict[str, Any], *, is_short: bool = False) -> str:
    """Return the hosts that are listed of a ``FailureGroup``, and how many others there are.

    If it is to be short, names are without their domains.
    """
    hosts = group["hosts"]
    others = group["hostCount"] - len(hosts)
    if not others and len(hosts) == 1:
        return _name_host(hosts[0], is_short)
    listed = ", ".join(f"{_name_host(host, is_short)} ({host['count']})" for host in hosts)
    if not others:
        return listed
    return f"{listed} and {others} more host{'s' if others > 1 else ''}"


def _name_host(host: dict[str, Any], is_short: bool) -> str:
    name: str | None = host["hostname"]
    if name is None:
        return "unknown host"
    if is_short and not ADDRESS.fullmatch(name):
        name = name.partition(".")[0]
    return make_printable(name)


def make_printable(text: str) -> str:
    """Replace control characters, by which a job could write anywhere on the terminal.

    Joiners between emoji, which names may have, stay.
    """
    return ZWJ.join(map(_replace_controls, JOINER.split(text)))


def _replace_controls(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
