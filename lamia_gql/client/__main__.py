"""``lamia-job``, also ``python -m lamia_gql.client``: the job side for shells and batch systems."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from lamia_gql import __version__
from lamia_gql.client.priorities import RANKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lamia_gql.client.job import Job
    from lamia_gql.client.output import Reading


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits 2 where it makes no sense.

    ``run`` ends as its program does, ``flush`` exits 1 where something is left, and ``emit``
    exits 0 whatever becomes of the event: a script must not fail for it.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Pythons differ in what argparse makes of the dashes, so it does not get to see them.
    dashes = given.index("--") if "--" in given else len(given)
    chosen = _parser().parse_args(given[:dashes])
    chosen.command(chosen, given[dashes:])


def _emit(chosen: argparse.Namespace, rest: list[str]) -> None:
    _refuse(rest)
    job = _make_job(chosen)
    job.emit(chosen.event_class, progress=chosen.progress, payload=chosen.payload)
    job.close()


def _run(chosen: argparse.Namespace, rest: list[str]) -> None:
    from lamia_gql.client.options import Options
    from lamia_gql.client.wrapper import Wrapper

    program = chosen.program + rest if chosen.program else rest[1:]
    if not program:
        _parser().error("run: say which program, after --")
    options = Options(
        beat=chosen.beat,
        progress=chosen.progress_regex,
        stop_when_enough=chosen.stop_when_enough,
        tail=chosen.payload_tail,
    )
    Wrapper(lambda: _make_job(chosen, quiet=True), program, options).run()


def _make_job(chosen: argparse.Namespace, *, quiet: bool = False) -> Job:
    from lamia_gql.client.job import Job

    return Job(
        chosen.task, chosen.process, chosen.index, url=chosen.url, spool=chosen.spool, quiet=quiet
    )


def _flush(chosen: argparse.Namespace, rest: list[str]) -> None:
    _refuse(rest)
    from lamia_gql.client.address import AddressError, find_server
    from lamia_gql.client.connection import Connection
    from lamia_gql.client.delivery import Delivery
    from lamia_gql.client.flusher import Flusher
    from lamia_gql.client.spool import Spool
    from lamia_gql.client.warnings import Notices

    try:
        server = find_server(os.environ, url=chosen.url, spool=chosen.spool)
    except AddressError as error:
        sys.exit(f"lamia-job: {error}")
    spool = Spool(server.spool, server.url)
    total, notices = Delivery(), Notices()
    for delivery in Flusher(Connection(server), spool).steps():
        total.add(delivery)
        for _process, kind, text in delivery.remarks:
            notices.mistake(kind, text)
    left = len(spool.names())
    print(f"{len(total.stored)} events sent, {len(total.refused)} refused, {left} files left.")
    if total.trouble:
        print(f"lamia-job: {total.trouble}", file=sys.stderr)
    sys.exit(1 if left else 0)


def _refuse(rest: list[str]) -> None:
    if rest:
        _parser().error("only run takes a program")


class _Help(argparse.HelpFormatter):
    """Of a fixed width: to find that of the terminal takes an import that is not cheap."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=80)


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=_Help, **options)


def _parser() -> _Parser:
    parser = _Parser(prog="lamia-job", description="Tell a lamia-gql server how a job fares.")
    parser.add_argument("--version", action="version", version=f"lamia-job {__version__}")
    commands = parser.add_subparsers(
        required=True, metavar="emit | run | flush", parser_class=_Parser
    )

    where = _Parser(add_help=False)
    where.add_argument("--url", help="the server's address; else LAMIA_URL")
    where.add_argument("--spool", help="the folder for what can't be sent; else LAMIA_SPOOL")
    who = _Parser(add_help=False)
    who.add_argument("--task", help="the task's name; else LAMIA_TASK")
    who.add_argument("--process", help="the process' name; else LAMIA_PROCESS")
    who.add_argument(
        "--index",
        help="the index in the array, or 'none'; else LAMIA_INDEX, or what the batch system says",
    )

    emit = commands.add_parser("emit", parents=[where, who], help="send one event")
    emit.add_argument("event_class", metavar="CLASS", choices=RANKS, help=" ".join(RANKS))
    emit.add_argument("--progress", type=float, help="how far the job is")
    emit.add_argument("--payload", type=_json, help="any JSON")
    emit.set_defaults(command=_emit)

    run = commands.add_parser("run", parents=[where, who], help="run a program, and tell of it")
    run.add_argument(
        "--beat", type=_seconds, default=60.0, help="seconds between beats; 60 unless said"
    )
    run.add_argument(
        "--progress-regex",
        type=_reading,
        help=r"what finds the progress in the program's output, like 'event (\d+)'",
    )
    run.add_argument(
        "--stop-when-enough", action="store_true", help="end the program once it is enough"
    )
    run.add_argument(
        "--payload-tail",
        type=_count,
        default=20,
        help="the last lines of stderr that a failure tells of; 20 unless said",
    )
    run.add_argument("program", nargs=argparse.REMAINDER, metavar="-- CMD ARGS", help="the program")
    run.set_defaults(command=_run)

    flush = commands.add_parser("flush", parents=[where], help="send what lies in the spool")
    flush.set_defaults(command=_flush)
    return parser


def _json(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.05 <= seconds < 1e9:
        raise argparse.ArgumentTypeError("seconds, from 0.05 on")
    return seconds


def _count(text: str) -> int:
    count = int(text)
    if not 0 <= count <= 1000:
        raise argparse.ArgumentTypeError("a number of lines, up to 1000")
    return count


def _reading(pattern: str) -> Reading:
    import re

    from lamia_gql.client.output import Reading

    try:
        return Reading(pattern)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"not a regular expression: {error}") from error


if __name__ == "__main__":
    main()
