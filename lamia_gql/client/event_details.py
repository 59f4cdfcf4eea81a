"""The optional fields of an event that tell how a job has ended, and what it has used."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DETAIL_FIELDS = ("exitCode", "signal", "message", "batchId", "usage")
"""The fields that older servers do not know."""
USAGE_FIELDS = (
    "cpuSeconds",
    "wallSeconds",
    "maxRssBytes",
    "readBytes",
    "writeBytes",
    "cpus",
    "requestedMemoryBytes",
)
MAX_MESSAGE_BYTES = 1024
MAX_SIGNAL_LENGTH = 32
MAX_BATCH_ID_LENGTH = 255
EXIT_CODES = range(1 - 2**31, 2**31)
MAX_USAGE = 1e18
ESCAPE_SEQUENCE = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])"
"""What a terminal takes for colours, movements and titles."""
CONTROL_CHARACTER = r"[\x00-\x08\x0b-\x1f\x7f]"


def make_details(
    *,
    exit_code: int | None = None,
    signal_name: str | int | None = None,
    message: str | None = None,
    batch_id: str | None = None,
    usage: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return the fields of an event, without those that are None or that no server would accept.

    Args:
        exit_code: The exit code of the program.
        signal_name: The signal that has ended it, by its name or its number.
        message: Why it has ended; at most 1 KiB of UTF-8 is sent.
        batch_id: The batch system's own id of the job.
        usage: What it has used, by the names in ``USAGE_FIELDS``; other names are ignored.
    """
    fields: dict[str, Any] = {}
    if isinstance(exit_code, int) and exit_code in EXIT_CODES:
        fields["exitCode"] = int(exit_code)
    name = None if signal_name is None else find_signal_name(signal_name)
    if name is not None:
        fields["signal"] = name
    text = "" if message is None else clean_message(to_text(message))
    if text:
        fields["message"] = text
    id_ = "" if batch_id is None else clean_message(to_text(batch_id))
    if 0 < len(id_) <= MAX_BATCH_ID_LENGTH:
        fields["batchId"] = id_
    numbers = _select_usage(usage) if isinstance(usage, Mapping) else {}
    if numbers:
        fields["usage"] = numbers
    return fields


def find_signal_name(given: str | int) -> str | None:
    """Return the name of a signal, ``SIGKILL``, from a name with or without SIG, or a number.

    Returns None for anything else. Real-time signals, which have no names, are like ``SIG40``.
    """
    text = to_text(int(given) if isinstance(given, int) else given).strip().upper()
    if text.isdigit() and 0 < int(text) < signal.NSIG:
        try:
            return signal.Signals(int(text)).name
        except ValueError:
            return f"SIG{int(text)}"
    name = text if text.startswith("SIG") else f"SIG{text}"
    is_name = re.fullmatch("SIG[A-Z0-9+-]+", name) and not text.isdigit()
    return name if is_name and len(name) <= MAX_SIGNAL_LENGTH else None


def clean_message(text: str) -> str:
    """Return a text without what is meant for a terminal, cut to what servers accept."""
    text = re.sub(CONTROL_CHARACTER, " ", re.sub(ESCAPE_SEQUENCE, "", text)).strip()
    return text.encode("utf-8", "replace")[:MAX_MESSAGE_BYTES].decode("utf-8", "ignore")


def describe_exception(error: BaseException) -> str:
    """Return the kind and the text of an exception, as Python ends a traceback: ``ValueError: x``.

    Never raises.
    """
    kind = type(error)
    is_plain = kind.__module__ in ("builtins", "__main__")
    name = kind.__qualname__ if is_plain else f"{kind.__module__}.{kind.__qualname__}"
    text = to_text(error)
    return f"{name}: {text}" if text else name


def is_cancellation(error: BaseException) -> bool:
    """Whether an exception says that somebody has cancelled what the job was doing."""
    # Who has raised one has imported its module.
    modules = (sys.modules.get(name) for name in ("asyncio", "concurrent.futures"))
    return any(isinstance(error, module.CancelledError) for module in modules if module is not None)


def to_text(value: object) -> str:
    """Return a value as text; empty if it has none. Never raises."""
    try:
        return str(value)
    except Exception:  # a user's class may raise anything
        return ""


def _select_usage(usage: Mapping[str, float]) -> dict[str, float]:
    numbers = {name: usage[name] for name in USAGE_FIELDS if usage.get(name) is not None}
    return {
        name: number
        for name, number in numbers.items()
        if isinstance(number, (int, float)) and 0 <= number <= MAX_USAGE
    }
