"""The lines of the table."""

from __future__ import annotations

from bench import array_page, footprint, large, live, million, reading, writing
from bench.table import Goal, Line

LINES = {
    1: Line(
        "list of 50 tasks with 10 processes each, against PostGraphile 5",
        "12",
        (Goal("≤", 0.8),),
        reading.list_against_postgraphile,
    ),
    2: Line(
        "wide tree of 10,200 jobs, against PostGraphile 5",
        "6.6",
        (Goal("≤", 0.45),),
        reading.tree_against_postgraphile,
    ),
    3: Line(
        "wide tree, against sqlite3 and orjson by hand",
        "22",
        (Goal("≤", 1.6),),
        reading.tree_against_rows,
    ),
    4: Line(
        "one task by name with its 10 processes, 64 connections, against a trivial query:"
        " SQLite / PostgreSQL",
        "?",
        (Goal("≥", 0.6), Goal("≥", 0.6)),
        reading.task_by_name,
    ),
    5: Line(
        "one event by GraphQL, 64 connections, against a trivial query: SQLite / PostgreSQL",
        "0.30 / 0.28",
        (Goal("≥", 0.6), Goal("≥", 0.5)),
        writing.single_by_graphql,
    ),
    6: Line(
        "one event by REST, likewise",
        "0.8 to 0.97 / 0.27",
        (Goal("≥", 1.2), Goal("≥", 0.7)),
        writing.single_by_rest,
    ),
    7: Line(
        "`submitEvents` with 100 events on SQLite, against sqlite3 alone",
        "0.15",
        (Goal("≥", 0.55),),
        writing.batches_on_sqlite,
    ),
    8: Line(
        "`submitEvents` with 100 events on PostgreSQL, against 3,200 events a second",
        "1",
        (Goal("≥", 5),),
        writing.batches_on_postgresql,
    ),
    9: Line(
        "NDJSON with 1,000 events, against `submitEvents` with 100: SQLite / PostgreSQL",
        "?",
        (Goal("≥", 1.3), Goal("≥", 1.3)),
        writing.lines_of_json,
    ),
    10: Line(
        "one connection, one event at a time: latency, against one bare insert and commit:"
        " SQLite / PostgreSQL",
        "?",
        (Goal("≤", 2.5), Goal("≤", 2.5)),
        writing.latency,
    ),
    11: Line(
        "lines 5 and 7 with 10 million events and 1 million jobs in the database, against empty:"
        " single and batches on SQLite, then on PostgreSQL",
        "?",
        (Goal("≥", 0.85),) * 4,
        large.events_into_large,
    ),
    12: Line(
        "list of line 1 with 10 million events behind it, against without",
        "?",
        (Goal("≤", 1.15),),
        large.list_in_large,
    ),
    13: Line(
        "1,000 subscribers of one task, 200 events a second: 99 % of the pushes, since the server"
        " received the event",
        "130 ms (median)",
        (Goal("≤", 40, " ms"),),
        live.push,
    ),
    14: Line(
        "ready after start / resident after 1 million events / against after 250,000",
        "1.1 s / ? / ?",
        (Goal("≤", 1.0, " s"), Goal("≤", 130, " MB"), Goal("≤", 1.05)),
        footprint.footprint,
    ),
    15: Line(
        "the dashboard's page of an array, 100 viewers, 50 events a second: the server's share of"
        " a core",
        "200 requests/min a viewer",
        (Goal("≤", 15, " %"),),
        array_page.cpu_of_viewers,
    ),
    16: Line(
        "one task of a million jobs, a thousand beats a request, for a minute on PostgreSQL:"
        " beats a second",
        "?",
        (Goal("≥", 17_000, "/s"),),
        million.beats,
    ),
    17: Line(
        "50 million events in nine ranges of PostgreSQL, against empty: single and batches, and the"
        " time of the list, the wide tree, an array of 100 jobs, and 50 events",
        "?",
        (*(Goal("≥", 0.85),) * 2, *(Goal("≤", 1.15),) * 4),
        large.among_ranges,
    ),
}
