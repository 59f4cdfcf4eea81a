"""Why jobs ended or are held, in words for a terminal."""

from __future__ import annotations

from typing import Any

from lamia_gql.domain.text_checks import JOINER, ZWJ


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


def describe_hosts(group: dict[str, Any]) -> str:
    """Return the host with most jobs of a ``FailureGroup``, and how many others there are."""
    (host, *_), others = group["hosts"], group["hostCount"] - 1
    name = "unknown host" if host["hostname"] is None else make_printable(host["hostname"])
    if not others:
        return name
    return f"{name} ({host['count']}) and {others} more host{'s' if others > 1 else ''}"


def make_printable(text: str) -> str:
    """Replace control characters, by which a job could write anywhere on the terminal.

    Joiners between emoji, which names may have, stay.
    """
    return ZWJ.join(map(_replace_controls, JOINER.split(text)))


def _replace_controls(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
