"""A client that sends requests without pause, on many connections.

``python -m tests.hostile.flooder URL CONNECTIONS AHEAD`` does so in a process of its own, with the
request in the first line of its input, until that ends. Then it prints how many requests were
answered, by their status.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from tests.support.harness import Server

Answers = Counter[int]
"""How many requests were answered with each status."""


@contextmanager
def flood(
    server: Server,
    path: str,
    body: Any,
    headers: Mapping[str, str],
    *,
    connections: int,
    ahead: int = 1,
) -> Iterator[Answers]:
    """Let a client post the same body again and again; its answers are counted at the end.

    Args:
        server: whom it floods.
        path: where it posts to.
        body: what it posts, as JSON.
        headers: who it is.
        connections: on how many connections.
        ahead: how many requests it sends on each before it waits for the answer to the first.
    """
    address, content = urlsplit(server.url), json.dumps(body)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = (
        f"POST {path} HTTP/1.1\r\nhost: {address.netloc}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(content)}\r\n{head}\r\n{content}"
    )
    arguments = [server.url, str(connections), str(ahead)]
    flooding = subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.flooder", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    answers = Answers()
    try:
        assert flooding.stdin is not None
        assert flooding.stdout is not None
        flooding.stdin.write(json.dumps(request) + "\n")
        flooding.stdin.flush()
        assert flooding.stdout.readline() == "flooding\n"
        yield answers
        told, _ = flooding.communicate("", timeout=60)
        answers.update({int(status): number for status, number in json.loads(told).items()})
    finally:
        flooding.kill()
        flooding.wait()


async def _flood(url: str, connections: int, ahead: int) -> None:
    address = urlsplit(url)
    loop = asyncio.get_running_loop()
    request = json.loads(sys.stdin.readline()).encode()
    answers: Counter[str] = Counter()
    answered = asyncio.Event()

    async def use_connection() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(request * (ahead - 1))
        while True:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            size = re.search(rb"(?i)content-length: (\d+)", head)
            assert size is not None
            await reader.readexactly(int(size[1]))
            answers[head[9:12].decode()] += 1
            answered.set()

    async def stay() -> None:
        while True:
            # A server may close what it has too many of.
            with suppress(OSError, asyncio.IncompleteReadError):
                await use_connection()
            await asyncio.sleep(0.01)

    flooding = [asyncio.create_task(stay()) for _ in range(connections)]
    await answered.wait()
    sys.stdout.write("flooding\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    for task in flooding:
        task.cancel()
    await asyncio.gather(*flooding, return_exceptions=True)
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    asyncio.run(_flood(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
