"""The log of a server: nothing that clients do fills it, and every incident is in it."""

from __future__ import annotations

import logging
import re
import resource
from io import StringIO
from pathlib import Path

from lamia_gql.server.log_handler import CondensingHandler
from tests.support.harness import SUBMIT_EVENT, StartServer
from tests.support.live_clients import WebSocketClient
from tests.support.waiting import until

REQUESTS = 200


def test_refused_requests_do_not_fill_the_log(start_server: StartServer, sqlite_url: str) -> None:
    """While the disk is full, what the database says is written once, and then counted."""
    server = start_server(sqlite_url)
    server.create("t", {"name": "p"})
    full = Path(sqlite_url.removeprefix("sqlite:///") + "-wal").stat().st_size
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
    server.clear_log()
    event = {"task": "t", "process": "p", "eventClass": "BEAT"}
    for _ in range(REQUESTS):
        assert server.request(SUBMIT_EVENT, {"input": event}).status_code == 503
    server.stop()
    told = server.log()
    counts = re.findall(r": the database failed \(OperationalError: .+\): (\d+) more within", told)
    assert 1 + sum(map(int, counts)) == REQUESTS
    assert told.count("Traceback (most recent call last)") <= 2
    assert told.count("\n") < REQUESTS


def make_log(interval_s: float) -> tuple[logging.Logger, StringIO, CondensingHandler]:
    """A log of its own, and what was written to it."""
    handler, written = CondensingHandler(interval_s), StringIO()
    handler.setStream(written)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    log = logging.Logger("test")
    log.addHandler(handler)
    return log, written, handler


def test_repetitions_are_counted() -> None:
    """By the kind of the line, whatever its arguments; other lines are written between them."""
    log, written, handler = make_log(3600)
    for number in range(100):
        log.warning("refused %d", number)
        if number in (3, 7):
            log.error("refused %d", number)
    assert written.getvalue() == "WARNING refused 0\nERROR refused 3\n"
    handler.close()
    assert written.getvalue().splitlines()[2:] == [
        "WARNING refused 0: 99 more within 3600 s",
        "ERROR refused 3: 1 more within 3600 s",
    ]


def test_a_line_about_another_is_no_repetition() -> None:
    """Of several databases that fail at once, each is named."""
    log, written, handler = make_log(3600)
    for name in ("a", "b", "a"):
        log.warning("%s is gone", name, extra={"database": name})
    assert written.getvalue() == "WARNING a is gone\nWARNING b is gone\n"
    handler.close()
    assert written.getvalue().splitlines()[2:] == ["WARNING a is gone: 1 more within 3600 s"]


def test_incidents_are_all_written() -> None:
    """A client may ask for any; a traceback is written once for each place."""
    log, written, handler = make_log(3600)
    for number in range(4):
        try:
            _ = 1 / 0 if number % 2 else int("none")
        except (ZeroDivisionError, ValueError):
            log.exception("incident %d", number, extra={"incident": number})
    handler.close()
    told = written.getvalue()
    assert re.findall(r"incident (\d)", told) == ["0", "1", "2", "3"]
    assert re.findall(r"^\w+Error", told, re.MULTILINE) == ["ValueError", "ZeroDivisionError"]


def test_a_line_is_new_after_a_pause() -> None:
    """Repetitions are summed up at intervals; after one without any, the line is written again."""
    log, written, handler = make_log(0.05)
    for _ in range(3):
        log.warning("full")
    until(lambda: "full: 2 more within 0.05 s" in written.getvalue(), written.getvalue)
    until(lambda: not handler._repeated, lambda: handler._repeated)
    log.warning("full")
    assert written.getvalue().splitlines()[-1] == "WARNING full"
    handler.close()


async def test_websockets_are_not_logged(start_server: StartServer, sqlite_url: str) -> None:
    """By default the log has no line for each WebSocket; for debugging it has."""
    for level, is_logged in (("info", False), ("debug", True)):
        server = start_server(sqlite_url, log_level=level)
        async with WebSocketClient(server.url):
            pass
        server.stop()
        assert "startup complete" in server.log()
        assert ("connection open" in server.log()) is is_logged
        server.clear_log()
