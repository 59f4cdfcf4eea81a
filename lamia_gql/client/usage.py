"""What a program uses of its machine: from /proc while it runs, from the kernel at its end."""

from __future__ import annotations

import os
import resource
import time

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Usage:
    """The resources of a process and its descendants since its start."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._begin = time.monotonic()
        self._last = (self._begin, 0.0)
        self._max_rss = 0

    def now(self) -> dict[str, float]:
        """What it uses now; where there is no /proc, only the time that has passed.

        Times in seconds, sizes in bytes; ``cpuPercent`` is of one core, since the last call.
        ``cpuSeconds`` are of the processes that live, and of those that they have waited for.
        """
        moment = time.monotonic()
        usage: dict[str, float] = {"wallSeconds": round(moment - self._begin, 3)}
        found = [sample for sample in map(_sample, family(self._pid)) if sample is not None]
        if found:
            cpu, rss = sum(sample[0] for sample in found), sum(sample[1] for sample in found)
            self._max_rss = max(self._max_rss, rss)
            passed, used = moment - self._last[0], cpu - self._last[1]
            self._last = (moment, cpu)
            usage["cpuSeconds"] = round(cpu, 3)
            usage["cpuPercent"] = round(100 * max(used, 0.0) / max(passed, 1e-3), 1)
            usage["rssBytes"] = rss
            usage["maxRssBytes"] = self._max_rss
            usage["processes"] = len(found)
        return usage

    def total(self, rusage: resource.struct_rusage) -> dict[str, float]:
        """What it has used in all, after its end.

        ``maxRssBytes`` is the largest sum seen at a beat, or the largest single process.
        """
        return {
            "wallSeconds": round(time.monotonic() - self._begin, 3),
            "cpuSeconds": round(rusage.ru_utime + rusage.ru_stime, 3),
            "userSeconds": round(rusage.ru_utime, 3),
            "systemSeconds": round(rusage.ru_stime, 3),
            "maxRssBytes": max(self._max_rss, rusage.ru_maxrss * 1024),
        }


def family(pid: int) -> list[int]:
    """A process and its descendants, where /proc tells."""
    found, asked = [pid], 0
    while asked < len(found):
        found += _children(found[asked])
        asked += 1
    return found


def _children(pid: int) -> list[int]:
    folder = f"/proc/{pid}/task"
    children: list[int] = []
    try:
        for thread in os.listdir(folder):
            with open(f"{folder}/{thread}/children", encoding="ascii") as file:
                children += map(int, file.read().split())
    except (OSError, ValueError):
        pass  # it has just ended, or this system does not tell
    return children


def _sample(pid: int) -> tuple[float, int] | None:
    """Seconds of CPU and bytes of memory."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name, in parentheses, may have blanks and parentheses itself.
            fields = file.read().rpartition(b")")[2].split()
        return sum(map(int, fields[11:15])) / TICK, int(fields[21]) * PAGE
    except (OSError, ValueError, LookupError):
        return None
