"""The signals that others send to a program: ``lamia-job run`` passes them on."""

from __future__ import annotations

import signal

STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})
"""Signals that ask a program to end: after one of them it is TERMINATED, whatever its exit code."""
OTHER_NAMES = (
    *("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGALRM", "SIGVTALRM", "SIGPROF"),
    *("SIGURG", "SIGIO", "SIGPWR", "SIGABRT"),
)
"""All others that may have a meaning for a program; not every system has each of them."""
REAL_TIME = range(getattr(signal, "SIGRTMIN", 0), getattr(signal, "SIGRTMAX", -1) + 1)
_NAMED = (getattr(signal, name, None) for name in OTHER_NAMES)
PROGRAM_SIGNALS = frozenset(
    int(number) for number in (*STOP_SIGNALS, *_NAMED, *REAL_TIME) if number is not None
)
"""The numbers of all these signals."""
