"""Checks of the input of task operations, all done before anything is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from lamia_gql.domain.counters import MIN_THRESHOLD
from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.notifications import Occasion, is_mail_address, occasion_mask
from lamia_gql.domain.settings import Settings
from lamia_gql.domain.text_checks import check_name, check_text
from lamia_gql.ingest.event_input import check_time, encode_json

MAX_INDEX = 2**31 - 1
MAX_TAGS = 100
ANY_ADDRESS = "any@address"
"""Stands for the address that a task already has."""
MAX_ERRORS = 100
"""How many errors of one input are reported: each takes memory and time."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A process to create: an array where ``job_count`` is given, otherwise solitary."""

    name: str
    job_count: int | None = None
    first_index: int | None = None
    failure_tolerance: int | None = None
    threshold: float | None = None
    beat_interval: float | None = None


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task to create, with its processes."""

    name: str
    processes: Sequence[ProcessSpec]
    username: str | None = None
    email: str | None = None
    comment: str | None = None
    tags: Sequence[str] = ()
    submitted_at: datetime | None = None
    hostname: str | None = None
    client_address: str | None = None
    config: Any = None
    dependencies: Any = None
    notify: Sequence[Occasion] | None = None


@dataclass(frozen=True, slots=True)
class TaskEdit:
    """New values of fields of the task ``name``; the others stay.

    The fields are ``username``, ``email``, ``comment``, ``config``, ``dependencies``, ``notify``
    and ``tags``.
    """

    name: str
    changes: dict[str, Any]


class InvalidInput(Exception):  # noqa: N818  (an answer to the client, not an error of the program)
    """A request was refused; ``errors`` has everything that is wrong with it."""

    def __init__(self, errors: list[UserError]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = errors


@dataclass(slots=True)
class Check:
    """Collects the errors of an input, so that users see all of them at once.

    All methods raise :class:`InvalidInput` as soon as there are :data:`MAX_ERRORS`.
    """

    settings: Settings
    now: datetime
    path: str = ""
    errors: list[UserError] = field(default_factory=list)

    def at(self, path: str) -> Check:
        """A check of a part of the input, at ``path``, that collects into the same list."""
        return Check(self.settings, self.now, self.path + path, self.errors)

    def add(self, code: ErrorCode, message: str, name: str) -> None:
        """Add an error of the field ``name`` of this part."""
        self._add(UserError(code, message, self.path + name))

    def accepts(self, number: int, limit: int, name: str) -> bool:
        """Whether there are at most ``limit`` items; otherwise an error of the field is added."""
        errors = len(self.errors)
        self.run(check_number, number, limit, name)
        return len(self.errors) == errors

    def run(self, check: Callable[..., T], *arguments: Any) -> T | None:
        """The result of ``check``; None where it raised an error, which is added.

        The last argument is the name of the field.
        """
        try:
            return check(*arguments[:-1], self.path + arguments[-1])
        except UserError as error:
            # The one that was raised knows its frames, and these the list: a cycle that would keep
            # the whole input in memory.
            self._add(UserError(error.code, error.message, error.field))
            return None

    def _add(self, error: UserError) -> None:
        self.errors.append(error)
        if len(self.errors) >= MAX_ERRORS:
            self.raise_errors()

    def raise_errors(self) -> None:
        """Raise :class:`InvalidInput` if any error was added."""
        if self.errors:
            raise InvalidInput(self.errors)


def check_task(check: Check, spec: TaskSpec) -> dict[str, Any]:
    """The columns of the task that this spec describes; None in place of invalid values."""
    check.run(check_name, spec.name, check.settings.max_name_length, "name")
    row = check_fields(
        check,
        {
            "username": spec.username,
            "email": spec.email,
            "comment": spec.comment,
            "hostname": spec.hostname,
            "config": spec.config,
            "dependencies": spec.dependencies,
            "notify": spec.notify,
        },
    )
    submitted_at = check.run(check_time, spec.submitted_at, check.now, "submittedAt")
    check_tags(check, spec.tags)
    check_processes(check, spec.processes)
    return {
        "name": spec.name,
        "submitted_at": submitted_at or check.now,
        "received_at": check.now,
        "client_address": spec.client_address,
        **row,
    }


def check_fields(check: Check, fields: dict[str, Any]) -> dict[str, Any]:
    """The columns for the descriptive fields of a task, by name."""
    limits = check.settings
    checked: dict[str, Any] = {}
    for name, value in fields.items():
        if name in ("config", "dependencies"):
            checked[name] = check.run(
                encode_json, value, limits.max_config_bytes, ErrorCode.JSON_INVALID, name
            )
        elif name == "notify":
            checked[name] = None if value is None else occasion_mask(value)
            if value and not is_mail_address(fields.get("email", ANY_ADDRESS) or ""):
                check.add(
                    ErrorCode.TEXT_INVALID,
                    "notify needs one plain e-mail address, such as ada@example.org, in email.",
                    "email",
                )
        else:
            # The user name is in an index, and PostgreSQL limits the size of index entries.
            limit = limits.max_name_length if name == "username" else limits.max_text_length
            checked[name] = check.run(check_text, value, limit, name)
    return checked


def check_tags(check: Check, tags: Sequence[str]) -> None:
    """Add the errors of the tags of a task."""
    if check.accepts(len(tags), MAX_TAGS, "tags"):
        for place, tag in enumerate(tags):
            check.run(check_name, tag, check.settings.max_name_length, f"tags.{place}")


def check_processes(check: Check, specs: Sequence[ProcessSpec]) -> None:
    """Add the errors of processes that are to be created together."""
    if not specs:
        check.add(ErrorCode.NO_PROCESSES, "A task needs at least one process.", "processes")
    if check.accepts(len(specs), check.settings.max_processes, "processes"):
        for place, spec in enumerate(specs):
            check_process(check.at(f"processes.{place}."), spec)
        check_distinct(check, [spec.name for spec in specs], "processes.{}.name", "processes")


def check_process(check: Check, spec: ProcessSpec) -> None:
    """Add the errors of a process."""
    check.run(check_name, spec.name, check.settings.max_name_length, "name")
    limit = check.settings.max_job_count
    if spec.job_count is not None and not 1 <= spec.job_count <= limit:
        check.add(
            ErrorCode.JOB_COUNT_INVALID,
            f"An array has from 1 to {limit} jobs, not {spec.job_count}.",
            "jobCount",
        )
    _check_indices(check, spec)
    threshold, beat_interval = spec.threshold, spec.beat_interval
    if threshold is not None and not (math.isfinite(threshold) and threshold >= MIN_THRESHOLD):
        check.add(
            ErrorCode.THRESHOLD_INVALID,
            f"threshold must be a finite number of at least {MIN_THRESHOLD:g}, not {threshold}.",
            "threshold",
        )
    if beat_interval is not None and not (math.isfinite(beat_interval) and beat_interval > 0):
        check.add(
            ErrorCode.BEAT_INTERVAL_INVALID,
            f"beatInterval must be a finite number greater than 0, not {beat_interval}.",
            "beatInterval",
        )


def _check_indices(check: Check, spec: ProcessSpec) -> None:
    first, tolerance, count = spec.first_index, spec.failure_tolerance, spec.job_count
    if count is None:
        for name, value, code in (
            ("firstIndex", first, ErrorCode.FIRST_INDEX_INVALID),
            ("failureTolerance", tolerance, ErrorCode.FAILURE_TOLERANCE_INVALID),
        ):
            if value is not None:
                message = f"{name} is for arrays only: give jobCount as well, or omit it."
                check.add(code, message, name)
        return
    if first is not None and not 0 <= first <= MAX_INDEX - count:
        check.add(
            ErrorCode.FIRST_INDEX_INVALID,
            f"firstIndex must be from 0 to {MAX_INDEX - count}, not {first}.",
            "firstIndex",
        )
    if tolerance is not None and not 0 <= tolerance <= count:
        check.add(
            ErrorCode.FAILURE_TOLERANCE_INVALID,
            f"failureTolerance must be from 0 to jobCount, {count}, not {tolerance}.",
            "failureTolerance",
        )


def check_number(number: int, limit: int, field: str) -> None:
    """Raise :class:`UserError` for more items than the server accepts."""
    if number > limit:
        what = field.rpartition(".")[2]
        raise UserError(
            ErrorCode.TOO_MANY, f"{number} {what}; the server accepts at most {limit}.", field
        )


def check_distinct(check: Check, names: Sequence[str], path: str, what: str) -> None:
    """Add an error for each repeated name; ``path`` has a placeholder for its position."""
    seen: set[str] = set()
    for place, name in enumerate(names):
        if name in seen:
            check.add(ErrorCode.NAME_TAKEN, f"Two {what} are called “{name}”.", path.format(place))
        seen.add(name)
