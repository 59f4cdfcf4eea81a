"""Which indices the jobs of a process have."""

from __future__ import annotations

from typing import Protocol

from lamia_gql.domain.errors import ErrorCode, UserError


class Indexed(Protocol):
    """A process, as far as its indices depend on it."""

    @property
    def name(self) -> str:
        """The name of the process."""

    @property
    def is_array(self) -> bool:
        """Whether its jobs have indices."""

    @property
    def first_index(self) -> int:
        """The index of its first job."""

    @property
    def last_index(self) -> int:
        """The index of its last job."""


def job_index(process: Indexed, index: int | None) -> int:
    """The index of the job that somebody names; 0 in a solitary process.

    Raises :class:`UserError` for an index that the process does not have.
    """
    if not process.is_array:
        if index is not None:
            raise UserError(
                ErrorCode.INDEX_FORBIDDEN,
                f"Process “{process.name}” is solitary: omit the index.",
                "index",
            )
        return 0
    if index is not None and process.first_index <= index <= process.last_index:
        return index
    span = f"{process.first_index} to {process.last_index}"
    if index is None:
        raise UserError(
            ErrorCode.INDEX_REQUIRED,
            f"Process “{process.name}” is an array: give the index of the job, from {span}.",
            "index",
        )
    raise UserError(
        ErrorCode.INDEX_OUT_OF_RANGE,
        f"Array “{process.name}” has jobs {span}, not {index}.",
        "index",
    )
