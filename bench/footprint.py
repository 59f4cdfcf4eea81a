"""Line 14: how fast a server starts, and how much memory it takes."""

from __future__ import annotations

import statistics
from itertools import islice

from bench.environment import Environment
from bench.events import CHUNK, batches, create_array, many
from bench.http_client import Client, request
from bench.server import serving
from bench.table import Measured

SAMPLES = 4
MEGA = 1_000_000


def footprint(environment: Environment) -> Measured:
    """Line 14, on SQLite: the start with a database that has its tables; memory and its growth."""
    scale = environment.scale
    with environment.sqlite.empty() as database:
        starts = []
        for _ in range(scale.starts):
            with serving(database) as server:
                starts.append(server.ready_after_s)
        with serving(database) as server:
            create_array(server.url)
            client, events = Client(server.url), batches(CHUNK)
            sampled = []
            for _ in range(SAMPLES):
                for batch in islice(events, scale.events // SAMPLES // CHUNK):
                    client.send(request(server.url, "/graphql", many(batch)))
                sampled.append(server.resident_bytes())
    start_s = statistics.median(starts)
    memory = ", ".join(f"{used / MEGA:.0f}" for used in sampled)
    return Measured(
        (start_s, sampled[-1] / MEGA, sampled[-1] / sampled[0]),
        f"after each quarter of {scale.events:,} events {memory} MB",
    )
