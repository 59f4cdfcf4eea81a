"""Signals by which a server is told to stop."""

from __future__ import annotations

import signal
import sys
from threading import Thread
from types import FrameType
from typing import Any, cast

import pytest
import uvicorn

from lamia_gql.server import graceful_server
from lamia_gql.server.graceful_server import GracefulServer


@pytest.mark.timeout(20)
def test_signals_that_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one may come at any time, also while the handler of the last one runs.

    So it is when a group of processes is ended in which make passes the signal on as well.
    """
    nothing = cast(Any, None)
    config = uvicorn.Config(nothing)
    server = GracefulServer(config, nothing, nothing, 0, is_last=lambda: True)
    codes: list[int] = []
    monkeypatch.setattr(graceful_server, "STOP_GRACE_S", 0)
    monkeypatch.setattr("logging.shutdown", lambda: None)
    monkeypatch.setattr("os._exit", codes.append)
    ending = Thread(target=server.end_in_time, daemon=True)
    ending.start()
    left = 10

    def signal_again(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal left
        if event == "call" and left:
            left -= 1
            signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, server.handle_exit)
    sys.setprofile(signal_again)
    try:
        while left:
            signal.raise_signal(signal.SIGTERM)
    finally:
        sys.setprofile(None)
        signal.signal(signal.SIGTERM, before)
    assert server.should_exit
    ending.join()
    assert codes == [0]
