"""``lamia-job``, also ``python -m lamia_gql.client``: the job side for shells and batch systems."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence

from lamia_gql import __version__
from lamia_gql.client.priorities import PRIORITIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lamia_gql.client.job import Job
    from lamia_gql.client.progress_scanner import ProgressScanner

EXIT_INTERRUPTED = 130
"""The exit code of a shell whose command was ended by Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits with 2 if it is invalid.

    ``run`` exits as its program does. ``flush`` exits with 1 if events are left, also for other
    servers, or if the spool can't be read. ``emit`` exits with 0 whatever happens to the event, so
    that it can't fail a script; with ``--batch``, with 2 if a line is invalid.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Python versions differ in how argparse treats "--", so argparse never sees it.
    separator = given.index("--") if "--" in given else len(given)
    parsed = _make_parser().parse_args(given[:separator])
    try:
        parsed.command(parsed, given[separator:])
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _emit(parsed: argparse.Namespace, program: list[str]) -> None:
    _reject_program(program)
    if parsed.batch:
        _emit_batch(parsed)
        return
    if parsed.event_class is None:
        _make_parser().error("emit: give the class of the event, or --batch")
    from lamia_gql.client import unclosed_jobs

    job = _make_job(parsed)
    job.emit(
        parsed.event_class,
        progress=parsed.progress,
        payload=parsed.payload,
        exit_code=parsed.exit_code,
        signal=parsed.signal,
        message=parsed.message,
        batch_id=parsed.batch_id,
    )
    job.close()
    unclosed_jobs.give_up()


def _emit_batch(parsed: argparse.Namespace) -> None:
    from lamia_gql.client.configuration import ConfigurationError, find_server
    from lamia_gql.client.event_stream import EventStream

    options = ("event_class", "progress", "payload", "exit_code", "signal", "message", "batch_id")
    if any(getattr(parsed, name) is not None for name in options):
        _make_parser().error("emit: with --batch, all about an event is in its line")
    lines: Iterable[bytes] = sys.stdin.buffer if sys.stdin else ()  # it may be closed
    try:
        stream = EventStream(
            find_server(os.environ, url=parsed.url, spool=parsed.spool),
            os.environ,
            task=parsed.task,
            process=parsed.process,
            index=parsed.index,
            attempt=parsed.attempt,
        )
    except ConfigurationError as error:
        print(f"lamia-job: {error} Nothing will be sent.", file=sys.stderr)
        for _ in lines:
            pass  # else the writer would fail
        return
    sys.exit(2 if stream.send(lines) else 0)


def _run(parsed: argparse.Namespace, program: list[str]) -> None:
    from lamia_gql.client.run_options import RunOptions
    from lamia_gql.client.wrapper import Wrapper

    command = parsed.program + program if parsed.program else program[1:]
    if not command:
        _make_parser().error("run: no program is given; put it after --")
    options = RunOptions(
        beat_interval=parsed.beat,
        progress_scanner=parsed.progress_regex,
        stop_when_enough=parsed.stop_when_enough,
        tail_lines=parsed.payload_tail,
    )
    Wrapper(lambda: _make_job(parsed, quiet=True), command, options).run()


def _make_job(parsed: argparse.Namespace, *, quiet: bool = False) -> Job:
    from lamia_gql.client.job import Job

    return Job(
        parsed.task,
        parsed.process,
        parsed.index,
        attempt=parsed.attempt,
        url=parsed.url,
        spool=parsed.spool,
        quiet=quiet,
    )


def _flush(parsed: argparse.Namespace, program: list[str]) -> None:
    _reject_program(program)
    from lamia_gql.client.configuration import ConfigurationError, find_server
    from lamia_gql.client.spool_flush import flush_spools
    from lamia_gql.client.warning_log import WarningLog

    try:
        server = find_server(os.environ, url=parsed.url, spool=parsed.spool)
        done = flush_spools(server, parsed.moved_from, WarningLog())
    except ConfigurationError as error:
        sys.exit(f"lamia-job: {error}")
    except OSError as error:
        sys.exit(f"lamia-job: The spool can't be read: {error}.")
    print(f"{done.stored} events sent, {done.refused} refused, {done.left} files left.")
    for url, number in done.elsewhere.items():
        print(f"{number} files wait for {url}: if that has moved here, use --moved-from {url}")
    if done.failure:
        print(f"lamia-job: {done.failure}", file=sys.stderr)
    sys.exit(1 if done.left or done.elsewhere else 0)


def _reject_program(program: list[str]) -> None:
    if program:
        _make_parser().error("only run takes a program")


class _HelpFormatter(argparse.HelpFormatter):
    """Has a fixed width, because argparse needs a slow import to find that of the terminal."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=80)


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=_HelpFormatter, **options)


def _make_parser() -> _Parser:
    parser = _Parser(
        prog="lamia-job", description="Report the events of a job to a lamia-gql server."
    )
    parser.add_argument("--version", action="version", version=f"lamia-job {__version__}")
    commands = parser.add_subparsers(
        required=True, metavar="emit | run | flush", parser_class=_Parser
    )

    server = _Parser(add_help=False)
    server.add_argument("--url", help="address of the server; defaults to LAMIA_URL")
    server.add_argument(
        "--spool", help="directory for events that can't be sent; defaults to LAMIA_SPOOL"
    )
    job = _Parser(add_help=False)
    job.add_argument("--task", help="name of the task; defaults to LAMIA_TASK")
    job.add_argument("--process", help="name of the process; defaults to LAMIA_PROCESS")
    job.add_argument(
        "--index",
        help="index in the array, or 'none' for a solitary process;"
        " defaults to LAMIA_INDEX, then to the index that the batch system sets",
    )
    job.add_argument(
        "--attempt",
        type=_parse_attempt,
        metavar="NUMBER",
        help="how often the job was restarted;"
        " defaults to LAMIA_ATTEMPT, then to what the batch system tells",
    )

    emit = commands.add_parser("emit", parents=[server, job], help="send one event")
    emit.add_argument(
        "event_class",
        metavar="CLASS",
        nargs="?",
        choices=PRIORITIES,
        help=f"one of {' '.join(PRIORITIES)}",
    )
    emit.add_argument(
        "--batch",
        action="store_true",
        help="read events from stdin, one JSON object a line, with the fields of SubmitEventInput",
    )
    emit.add_argument("--progress", type=float, help="progress of the job, a number")
    emit.add_argument("--payload", type=_parse_json, help="any JSON value")
    emit.add_argument(
        "--exit-code", type=int, metavar="CODE", help="exit code of the job's program"
    )
    emit.add_argument(
        "--signal",
        type=_parse_signal,
        metavar="NAME",
        help="signal that has ended the program, a name or a number",
    )
    emit.add_argument("--message", metavar="TEXT", help="why the job has ended or is held")
    emit.add_argument(
        "--batch-id",
        metavar="ID",
        help="the batch system's own id of the job; defaults to what it tells",
    )
    emit.set_defaults(command=_emit)

    run = commands.add_parser(
        "run", parents=[server, job], help="run a program and report its events"
    )
    run.add_argument(
        "--beat",
        type=_parse_seconds,
        default=60.0,
        metavar="SECONDS",
        help="seconds between beats; defaults to 60",
    )
    progress = run.add_mutually_exclusive_group()
    progress.add_argument(
        "--progress",
        dest="progress_regex",
        type=_parse_preset,
        metavar="BAR",
        help="progress bar that the program shows: tqdm",
    )
    progress.add_argument(
        "--progress-regex",
        type=_parse_pattern,
        metavar="REGEX",
        help=r"regular expression that finds the progress in the program's output,"
        r" for example 'event (\d+)'",
    )
    run.add_argument(
        "--stop-when-enough",
        action="store_true",
        help="stop the program when the process has reached its threshold",
    )
    run.add_argument(
        "--payload-tail",
        type=_parse_line_count,
        default=20,
        metavar="LINES",
        help="number of last lines of stderr in the payload of a failure; defaults to 20",
    )
    run.add_argument(
        "program", nargs=argparse.REMAINDER, metavar="-- CMD ARGS", help="program to run"
    )
    run.set_defaults(command=_run)

    flush = commands.add_parser("flush", parents=[server], help="send the events in the spool")
    flush.add_argument(
        "--moved-from",
        action="append",
        default=[],
        type=_parse_address,
        metavar="URL",
        help="an earlier address of the server, for which events wait; repeatable",
    )
    flush.set_defaults(command=_flush)
    return parser


def _parse_address(text: str) -> str:
    from lamia_gql.client.configuration import ConfigurationError, find_endpoint

    try:
        return find_endpoint(text)
    except ConfigurationError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _parse_attempt(text: str) -> int:
    from lamia_gql.client.batch_systems import MAX_INT32

    if not text.isdecimal() or int(text) > MAX_INT32:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to {MAX_INT32}")
    return int(text)


def _parse_signal(text: str) -> str:
    from lamia_gql.client.event_details import find_signal_name

    name = find_signal_name(text)
    if name is None:
        raise argparse.ArgumentTypeError("is not a signal, such as SIGKILL or 9")
    return name


def _parse_json(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error


def _parse_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.05 <= seconds < 1e9:
        raise argparse.ArgumentTypeError("must be a number of seconds, 0.05 or more")
    return seconds


def _parse_line_count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = -1
    if not 0 <= count <= 1000:
        raise argparse.ArgumentTypeError("must be a number of lines from 0 to 1000")
    return count


def _parse_preset(name: str) -> ProgressScanner:
    from lamia_gql.client.progress_search import PRESETS

    if name not in PRESETS:
        known = ", ".join(PRESETS)
        raise argparse.ArgumentTypeError(f"must be {known}; for others use --progress-regex")
    return _parse_pattern(PRESETS[name])


def _parse_pattern(pattern: str) -> ProgressScanner:
    import re

    from lamia_gql.client.progress_scanner import ProgressScanner

    try:
        return ProgressScanner(pattern)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"not a regular expression: {error}") from error


if __name__ == "__main__":
    main()
