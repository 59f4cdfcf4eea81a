"""Who makes a request, and what they may do.

A *principal* is a person, a service or a job, as its credential tells. Its roles decide which
operations it may run; on which tasks, decide the owner and the name of a task. A job has no role:
the token that it got with its task lets it submit events of that task, and read the answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from lamia_gql.domain.errors import AccessDenied, ErrorCode, UserError


class Role(StrEnum):
    """What a principal may do. Each role but REPORT includes READ; ADMIN includes all."""

    READ = "READ"
    SUBMIT = "SUBMIT"
    REPORT = "REPORT"
    ADMIN = "ADMIN"


ROLE_MEANINGS: dict[Role, str] = {
    Role.READ: "May read all tasks.",
    Role.SUBMIT: (
        "May read all tasks, create tasks, and change, delete and submit events to the tasks that"
        " it owns."
    ),
    Role.REPORT: "May submit events to the tasks whose names begin with its prefix.",
    Role.ADMIN: "May do everything.",
}
"""The meaning of each role, for the schema's descriptions and the documentation."""
READING = frozenset({Role.READ, Role.SUBMIT, Role.ADMIN})
CREATING = frozenset({Role.SUBMIT, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class JobGrant:
    """What a job token lets its bearer do: submit the events of one task."""

    task_id: int
    generation: int
    """The token is revoked where the task has another ``token_generation``."""
    process: str | None = None
    """The only process whose events may be submitted; None for all."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request.

    Args:
        subject: the name, which owns the tasks that it creates; None for a job or nobody.
        roles: what it may do.
        prefix: what the names of the tasks begin with that it may create, change or report on.
        grant: what the token of a job allows.
        expires_at: when the credential ends, in seconds since 1970; None for never.
    """

    subject: str | None = None
    roles: frozenset[Role] = frozenset()
    prefix: str = ""
    grant: JobGrant | None = None
    expires_at: float | None = None

    @property
    def is_admin(self) -> bool:
        """Whether nothing is forbidden."""
        return Role.ADMIN in self.roles

    @property
    def may_read(self) -> bool:
        """Whether it may read all tasks."""
        return not READING.isdisjoint(self.roles)

    def require_reading(self) -> None:
        """Raise :class:`AccessDenied` unless it may read tasks."""
        if not self.may_read:
            raise self._denied("read tasks", (Role.READ,))

    def require_changing(self) -> None:
        """Raise :class:`AccessDenied` unless it may create tasks, and change its own."""
        if CREATING.isdisjoint(self.roles):
            raise self._denied("create or change tasks", (Role.SUBMIT,))

    def require_submitting(self) -> None:
        """Raise :class:`AccessDenied` unless it may submit events to any task."""
        if self.grant is None and not self.roles - {Role.READ}:
            raise self._denied("submit events", (Role.SUBMIT, Role.REPORT))

    def require_admin(self) -> None:
        """Raise :class:`AccessDenied` unless it is an administrator."""
        if not self.is_admin:
            raise self._denied("manage credentials", (Role.ADMIN,))

    def _denied(self, what: str, roles: Iterable[Role]) -> AccessDenied:
        if self == NOBODY:
            return AccessDenied(
                ErrorCode.UNAUTHENTICATED,
                f"A credential is needed to {what}: send a token as “Authorization: Bearer TOKEN”.",
            )
        needed = " or ".join(roles)
        return AccessDenied(
            ErrorCode.FORBIDDEN, f"This credential may not {what}: it needs the role {needed}."
        )

    def may_create(self, name: str) -> bool:
        """Whether it may create a task of this name, given that it may create tasks at all."""
        return self.is_admin or name.startswith(self.prefix)

    def may_change(self, name: str, owner: str | None) -> bool:
        """Whether it may change or delete a task of this name and owner."""
        if self.is_admin:
            return True
        owns = owner is not None and owner == self.subject
        return owns and Role.SUBMIT in self.roles and name.startswith(self.prefix)

    def event_refusal(
        self, task_id: int, name: str, owner: str | None, generation: int, process: str
    ) -> UserError | None:
        """Why it may not submit an event to this process of a task; None if it may."""
        if self.grant is None:
            if self.may_change(name, owner):
                return None
            if Role.REPORT in self.roles and name.startswith(self.prefix):
                return None
            return UserError(
                ErrorCode.FORBIDDEN, f"This credential may not submit events to “{name}”.", "task"
            )
        if self.grant.task_id != task_id:
            return UserError(
                ErrorCode.FORBIDDEN,
                f"This token is not for the present task “{name}”, but for another one.",
                "task",
            )
        if self.grant.generation != generation:
            return UserError(
                ErrorCode.UNAUTHENTICATED, f"The tokens of task “{name}” were revoked.", "task"
            )
        if self.grant.process not in (None, process):
            return UserError(
                ErrorCode.FORBIDDEN,
                f"This token is for process “{self.grant.process}” only.",
                "process",
            )
        return None


ANYONE = Principal(roles=frozenset({Role.ADMIN}))
"""Who asks without a credential where none is needed."""
ANY_READER = Principal(roles=frozenset({Role.READ}))
"""Who asks without a credential where everybody may read."""
NOBODY = Principal()
"""Who asks without a credential where one is needed."""
