"""A proxy in front of PostgreSQL that makes the connections to it fail, as a network would."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

SOCKET = ".s.PGSQL.5432"
"""The name of PostgreSQL's socket in its folder."""
ENCRYPTION_REQUESTS = (80877103, 80877104)
"""The codes of requests for TLS and GSSAPI, which precede the first message."""


class Fault(Enum):
    """What happens to a message of a client."""

    CUT_BEFORE = auto()
    """It does not reach the database, and the connection is closed."""
    CUT_AFTER = auto()
    """The database executes it, but its answer is lost, and the connection is closed."""
    CUT_AND_HOLD = auto()
    """The connection is closed, but it reaches the database when ``release`` is called."""
    SILENT_BEFORE = auto()
    """It and all that follows on this connection are lost, and the connection stays open."""
    SILENT_AFTER = auto()
    """The database executes it, but its answer and all that follows are lost, without a word."""


class Link:
    """One connection of a client, and the proxy's own one to the database."""

    def __init__(self, client: socket.socket, database: socket.socket) -> None:
        self.client = client
        self.database = database
        self.silent = False
        """Whether all that is sent on it, in both directions, is lost."""
        self.cut_at_answer = False
        """Whether the next answer of the database is lost, and the connection closed."""
        self.prepared = False
        """Whether the message has passed after which the fault may happen."""
        self._statements: dict[bytes, bytes] = {}
        """What the database has prepared, by its name."""

    def text(self, message: bytes) -> bytes:
        """The text of a message; that of its statement, if it runs one that was prepared."""
        match message[:1]:
            case b"P":
                name, statement, _ = message[5:].split(b"\0", 2)
                self._statements[name] = statement
            case b"B":
                _, name, _ = message[5:].split(b"\0", 2)
                return self._statements[name]
        return message

    def cut(self) -> None:
        """Close both ends; the threads that read from them end."""
        for end in (self.client, self.database):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class DatabaseProxy:
    """A TCP address in front of the PostgreSQL of ``database_url``, which has a folder as host.

    Use it as a context manager: ``url`` is the address for those who are to have the faults.
    """

    def __init__(self, database_url: str) -> None:
        address = urlsplit(database_url)
        [folder] = parse_qs(address.query)["host"]
        self._target = str(Path(folder, SOCKET))
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{port}{address.path}?sslmode=disable"
        self._lock = threading.Lock()
        self._links: set[Link] = set()
        self._flowing = threading.Event()
        self._flowing.set()
        self._released = threading.Event()
        self._fault: tuple[Fault, bytes, bytes] | None = None
        self.failed = threading.Event()
        """Set once the fault has happened that was asked for."""
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._flowing.set()
        self._released.set()
        # Closing alone would not wake the thread that accepts.
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()
        for thread in self._threads:
            thread.join(20)

    def fail(self, fault: Fault, *, at: bytes = b"COMMIT", after: bytes = b"") -> None:
        """Let a fault happen once, to the next message that contains ``at``, or runs it.

        With ``after``, only on a connection on which a message with that text has passed since.
        """
        self.failed.clear()
        self._released.clear()
        with self._lock:
            for link in self._links:
                link.prepared = not after
            self._fault = fault, at, after

    def release(self) -> None:
        """Let the message pass that is held."""
        self._released.set()

    def freeze(self) -> None:
        """Hold back all messages on all connections, also on new ones, until :meth:`thaw`."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Pass on what was held back, and all that follows."""
        self._flowing.set()

    def silence(self) -> None:
        """Lose from now on all that is sent on the present connections, as if the host was gone."""
        with self._lock:
            for link in self._links:
                link.silent = True

    def cut(self) -> None:
        """Close all present connections."""
        with self._lock:
            for link in self._links:
                link.cut()

    @property
    def connections(self) -> int:
        """The number of open connections."""
        with self._lock:
            return len(self._links)

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            database = socket.socket(socket.AF_UNIX)
            try:
                database.connect(self._target)
            except OSError:
                client.close()
                database.close()
                continue
            link = Link(client, database)
            with self._lock:
                self._links.add(link)
            self._start(self._serve, link)

    def _serve(self, link: Link) -> None:
        answers = threading.Thread(target=self._pass_answers, args=(link,), daemon=True)
        answers.start()
        with suppress(OSError):
            self._pass_requests(link)
        link.cut()
        answers.join(20)
        with self._lock:
            self._links.discard(link)
        link.client.close()
        link.database.close()

    def _pass_requests(self, link: Link) -> None:
        for message in _messages(link.client):
            self._flowing.wait()
            if link.silent:
                continue
            match self._take_fault(link, message):
                case Fault.CUT_BEFORE:
                    self.failed.set()
                    return
                case Fault.CUT_AND_HOLD:
                    link.client.shutdown(socket.SHUT_RDWR)
                    self.failed.set()
                    self._released.wait()
                    link.database.sendall(message)
                    return
                case Fault.SILENT_BEFORE:
                    link.silent = True
                    self.failed.set()
                    continue
                case Fault.CUT_AFTER:
                    link.cut_at_answer = True
                case Fault.SILENT_AFTER:
                    link.silent = True
                    self.failed.set()
            link.database.sendall(message)

    def _pass_answers(self, link: Link) -> None:
        with suppress(OSError):
            while data := link.database.recv(65536):
                self._flowing.wait()
                if link.cut_at_answer:
                    self.failed.set()
                    break
                if not link.silent:
                    link.client.sendall(data)
        if not link.silent:
            link.cut()

    def _take_fault(self, link: Link, message: bytes) -> Fault | None:
        # The isolation of a transaction is no end of one.
        text = link.text(message).replace(b"READ COMMITTED", b"")
        with self._lock:
            if self._fault is None:
                return None
            fault, at, after = self._fault
            link.prepared |= after in text
            if not link.prepared or at not in text:
                return None
            self._fault = None
            return fault


def _messages(client: socket.socket) -> Iterator[bytes]:
    """The messages of a client; the first ones have no type, only a length."""
    buffer = b""
    started = False
    while data := client.recv(65536):
        buffer += data
        while len(buffer) >= 5 + 3 * (not started):
            begin = 1 if started else 0
            length = begin + struct.unpack_from(">i", buffer, begin)[0]
            if len(buffer) < length:
                break
            message, buffer = buffer[:length], buffer[length:]
            if not started:
                started = struct.unpack_from(">i", message, 4)[0] not in ENCRYPTION_REQUESTS
            yield message
