"""Resources that a program uses: from /proc while it runs, from the kernel after its end."""

from __future__ import annotations

import os
import resource
import time

CLOCK_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class ResourceUsage:
    """Measures a process and its descendants."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._begin = time.monotonic()
        self._last = (self._begin, 0.0)
        self._max_rss_bytes = 0
        self._ended_at: float | None = None
        self._transfer: tuple[int, int] | None = None

    def measure(self) -> dict[str, float]:
        """Return the current usage; without /proc only ``wallSeconds``.

        Sizes are in bytes. ``cpuPercent`` is the share of one core since the last call.
        ``cpuSeconds``, ``readBytes`` and ``writeBytes`` count running processes, and ended ones
        that these have waited for; the last two are what system calls have read and written,
        wherever it came from.
        """
        moment = time.monotonic()
        usage: dict[str, float] = {"wallSeconds": round(moment - self._begin, 3)}
        tree = find_process_tree(self._pid)
        found = [sample for sample in map(_sample, tree) if sample is not None]
        if found:
            cpu, rss = sum(sample[0] for sample in found), sum(sample[1] for sample in found)
            self._max_rss_bytes = max(self._max_rss_bytes, rss)
            passed, used = moment - self._last[0], cpu - self._last[1]
            self._last = (moment, cpu)
            usage["cpuSeconds"] = round(cpu, 3)
            usage["cpuPercent"] = round(100 * max(used, 0.0) / max(passed, 1e-3), 1)
            usage["rssBytes"] = rss
            usage["maxRssBytes"] = self._max_rss_bytes
            usage["processes"] = len(found)
        transfers = [transfer for transfer in map(_read_transfer, tree) if transfer is not None]
        if transfers:
            usage["readBytes"], usage["writeBytes"] = map(sum, zip(*transfers))
        return usage

    def wait(self) -> None:
        """Wait for the program's end, but leave its status to be waited for.

        What it has read and written is lost with that.
        """
        try:
            os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT)
        except (AttributeError, OSError):
            return  # this system has no such call
        self._ended_at = time.monotonic()
        self._transfer = _read_transfer(self._pid)

    def total(self, rusage: resource.struct_rusage) -> dict[str, float]:
        """Return the total usage, after the program's end.

        ``maxRssBytes`` is the larger of the largest sum at a beat and the largest single process.
        ``readBytes`` and ``writeBytes`` need /proc.
        """
        ended_at = self._ended_at or time.monotonic()
        usage = {
            "wallSeconds": round(ended_at - self._begin, 3),
            "cpuSeconds": round(rusage.ru_utime + rusage.ru_stime, 3),
            "userSeconds": round(rusage.ru_utime, 3),
            "systemSeconds": round(rusage.ru_stime, 3),
            "maxRssBytes": max(self._max_rss_bytes, rusage.ru_maxrss * 1024),
        }
        if self._transfer is not None:
            usage["readBytes"], usage["writeBytes"] = self._transfer
        return usage


def find_process_tree(pid: int) -> list[int]:
    """Return a process and its descendants; without /proc only the process itself."""
    found, searched = [pid], 0
    while searched < len(found):
        found += _find_children(found[searched])
        searched += 1
    return found


def _find_children(pid: int) -> list[int]:
    folder = f"/proc/{pid}/task"
    children: list[int] = []
    try:
        for thread in os.listdir(folder):
            with open(f"{folder}/{thread}/children", encoding="ascii") as file:
                children += map(int, file.read().split())
    except (OSError, ValueError):
        pass  # it has just ended, or there is no /proc
    return children


def _sample(pid: int) -> tuple[float, int] | None:
    """Return seconds of CPU time and bytes of memory; None if the process has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name is in parentheses, and may contain blanks and parentheses itself.
            fields = file.read().rpartition(b")")[2].split()
        return sum(map(int, fields[11:15])) / CLOCK_TICKS_PER_S, int(fields[21]) * PAGE_BYTES
    except (OSError, ValueError, LookupError):
        return None


def _read_transfer(pid: int) -> tuple[int, int] | None:
    """Return the bytes that a process has read and written; None if that can't be told."""
    try:
        with open(f"/proc/{pid}/io", encoding="ascii") as file:
            found = dict(line.split(": ") for line in file)
        return int(found["rchar"]), int(found["wchar"])
    except (OSError, ValueError, LookupError):
        return None
