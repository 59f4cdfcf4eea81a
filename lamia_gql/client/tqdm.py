"""Takes the place of tqdm: ``from lamia_gql.client.tqdm import tqdm, trange``.

The bars report the progress of the job and print nothing, since nobody looks at a job's terminal.
"""

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TextIO, TypeVar

from lamia_gql.client.progress_counter import ProgressCounter, find_length
from lamia_gql.client.shared_job import find_shared_job

if TYPE_CHECKING:
    from types import TracebackType

    from lamia_gql.client.job import Job

Item = TypeVar("Item")


class ProgressBar(Generic[Item]):
    """A bar with the interface of ``tqdm``.

    Of nested bars, only the outermost one reports. Its description and its postfix are in the
    payload.

    Args:
        iterable: What to iterate over; without it, call :meth:`update`.
        desc: What the bar is about.
        total: The number of steps. Defaults to the length of ``iterable``.
        initial: The number of steps that were done before.
        disable: Whether to report nothing.
        postfix: More values for the payload.
        job: Sends the progress. Defaults to one that the environment tells.
        is_count: Whether to report the number of steps and not a percentage, as for a process with
            a threshold.
        others: Whatever else ``tqdm`` takes; ignored.
    """

    _outermost: ClassVar[weakref.ref[ProgressBar[Any]] | None] = None

    def __init__(
        self,
        iterable: Iterable[Item] | None = None,
        desc: str | None = None,
        total: float | None = None,
        *_others: Any,
        initial: float = 0,
        disable: bool | None = False,
        postfix: Mapping[str, Any] | None = None,
        job: Job | None = None,
        is_count: bool = False,
        **others: Any,
    ) -> None:
        if total is None:
            total = find_length(iterable)
        self.iterable = iterable
        self.desc = desc or ""
        self.total = total
        self.initial = initial
        self.n = initial
        self.disable = bool(disable)
        self.leave = others.get("leave", True)
        self.pos = others.get("position") or 0
        self.unit = others.get("unit", "it")
        self._postfix: dict[str, Any] = dict(postfix or {})
        self._counter: ProgressCounter | None = None
        outermost = ProgressBar._outermost and ProgressBar._outermost()
        if not self.disable and outermost is None:
            ProgressBar._outermost = weakref.ref(self)
            self._counter = ProgressCounter(job or find_shared_job(), is_count=is_count)

    def __iter__(self) -> Iterator[Item]:
        """Iterate over the iterable, and count."""
        try:
            for item in self.iterable or ():
                yield item
                self.update()
        finally:
            self.close()

    def __len__(self) -> int:
        """Return the number of steps, or 0 if it is not known."""
        return int(find_length(self.iterable) or self.total or 0)

    def __bool__(self) -> bool:
        """Return whether there are any steps. Raises TypeError if that is not known."""
        if self.total is None and self.iterable is None:
            raise TypeError("bool() undefined when iterable == total == None")
        return bool(self.total if self.total is not None else self.iterable)

    def __contains__(self, item: object) -> bool:
        """Return whether an item is among those to iterate over."""
        items: Iterable[object] = self.iterable or ()
        return any(item == other for other in items)

    def __enter__(self) -> ProgressBar[Item]:
        """Return the bar."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the bar."""
        self.close()

    def update(self, n: float | None = 1) -> None:
        """Count steps that are done."""
        self.n += n or 0
        if self._counter is not None:
            self._counter.total = self.total
            self._counter.set(self.n, self._payload)

    def close(self) -> None:
        """Report the last progress; then a later bar is the outermost one."""
        counter, self._counter = self._counter, None
        if counter is not None:
            counter.done, counter.total = self.n, self.total
            counter.finish(self._payload())
            ProgressBar._outermost = None

    def refresh(self, *_arguments: Any, **_options: Any) -> None:
        """Report ``n`` and ``total`` if these were changed by the program, and if it is time."""
        self.update(0)

    display = refresh

    def reset(self, total: float | None = None) -> None:
        """Begin anew, maybe with another total."""
        self.n = 0
        if total is not None:
            self.total = total

    def set_description(self, desc: str | None = None, refresh: bool | None = True) -> None:
        """Say what the bar is about."""
        self.desc = desc or ""
        if refresh:
            self.refresh()

    set_description_str = set_description

    def set_postfix(
        self,
        ordered_dict: Mapping[str, Any] | None = None,
        refresh: bool | None = True,
        **values: Any,
    ) -> None:
        """Set the values in the payload."""
        self._postfix = {**(ordered_dict or {}), **values}
        if refresh:
            self.refresh()

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
        """Set a text in the payload."""
        self.set_postfix({"postfix": s} if s else {}, refresh)

    def clear(self, *_arguments: Any, **_options: Any) -> None:
        """Do nothing, as there is nothing on the screen."""

    def unpause(self) -> None:
        """Do nothing, as no rates are computed."""

    @classmethod
    def write(
        cls, s: str, file: TextIO | None = None, end: str = "\n", nolock: bool = False
    ) -> None:
        """Print a text."""
        print(s, file=file or sys.stdout, end=end)

    @classmethod
    @contextlib.contextmanager
    def external_write_mode(cls, *_arguments: Any, **_options: Any) -> Iterator[None]:
        """Let others print."""
        yield

    @property
    def format_dict(self) -> dict[str, Any]:
        """The state of the bar."""
        return {
            "n": self.n,
            "total": self.total,
            "initial": self.initial,
            "prefix": self.desc,
            "unit": self.unit,
            "postfix": self._postfix,
        }

    def _payload(self) -> dict[str, Any] | None:
        return {**({"description": self.desc} if self.desc else {}), **self._postfix} or None


def trange(*arguments: int, **options: Any) -> ProgressBar[int]:
    """Return ``tqdm(range(*arguments), **options)``."""
    return ProgressBar(range(*arguments), **options)


tqdm = ProgressBar
