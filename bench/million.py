"""Line 16: one task of a million jobs that beat each minute."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from itertools import count, islice
from time import perf_counter

from bench.environment import Environment
from bench.events import LINES, create_array
from bench.fleet.sizes import Sizes
from bench.http_client import Client, request
from bench.load import Load
from bench.server import serving
from bench.table import Measured
from lamia_gql.client.event import new_id

PATH, MEDIA_TYPE = "/api/v0/events", "application/x-ndjson"
CONNECTIONS = 8
STRIDE = 514_229
"""Jobs do not beat in the order of their indices: from one beat to the next it is so many more."""


def beats(environment: Environment) -> Measured:
    """Line 16: a thousand beats a request, over eight connections, on PostgreSQL."""
    scale = environment.scale
    cluster = environment.postgresql
    with cluster.empty() as database, serving(database) as server:
        create_array(server.url, scale.jobs)
        with closing(Client(server.url)) as client:
            for body in islice(_bodies("STARTED", scale.jobs), scale.jobs // LINES):
                client.send(request(server.url, PATH, body, MEDIA_TYPE))
        bodies = _bodies("BEAT", scale.jobs)
        load = Load(server.url, bodies, PATH, MEDIA_TYPE, CONNECTIONS, size=LINES)
        before, begin = Sizes.read(database), perf_counter()
        used = server.cpu_s(), cluster.cpu_s()
        rate = load.rate(scale.minute_s)
        took_s = perf_counter() - begin
        cores = (server.cpu_s() - used[0]) / took_s, (cluster.cpu_s() - used[1]) / took_s
        growth = Sizes.read(database).growth(before, round(rate * took_s))
    return Measured(
        (rate,),
        f"of {len(os.sched_getaffinity(0))} cores the server took {cores[0]:.2f}, PostgreSQL"
        f" {cores[1]:.2f}; bytes for a beat: {growth}; load {os.getloadavg()[0]:.1f}",
    )


def _bodies(kind: str, jobs: int) -> Iterator[bytes]:
    """Events of all jobs in turn, without end, as lines of JSON."""
    head = f'{{"task":"t","process":"p","eventClass":"{kind}","hostname":"node001"'
    indices = (number * STRIDE % jobs for number in count())
    while True:
        yield "\n".join(
            f'{head},"index":{index},"uuid":"{new_id()}"}}' for index in islice(indices, LINES)
        ).encode()
