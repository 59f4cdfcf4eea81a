"""Credentials of every kind for a server's database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import update

from lamia_gql.access import job_tokens
from lamia_gql.access.access_tokens import AccessTokenSpec, create, revoke
from lamia_gql.access.secret_keys import load_keys
from lamia_gql.domain.access import ANYONE, JobGrant, Principal, Role
from lamia_gql.domain.settings import load
from lamia_gql.ingest.task_input import ProcessSpec, TaskSpec
from lamia_gql.ingest.task_tokens import revoke_tokens
from lamia_gql.ingest.tasks import create_tasks
from lamia_gql.storage.database import Database
from lamia_gql.storage.migrations import migrate
from lamia_gql.storage.service_models import AccessToken

SECRET = "0123456789abcdef0123456789abcdef"
OWNER = "anna"
"""Who owns the tasks that :meth:`Credentials.add_task` makes."""


@dataclass
class Credentials:
    """Makes tokens and tasks in a database, also while a server uses it."""

    database_url: str

    def __post_init__(self) -> None:
        self.settings = load(database_url=self.database_url, secret_keys=SECRET)
        self.keys = load_keys(self.settings)
        self._database = Database(self.settings)
        migrate(self._database.engine)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def token(self, name: str, *roles: Role, prefix: str = "", days: float | None = None) -> str:
        """A new access token."""
        now = datetime.now(UTC)
        ends = None if days is None else now + timedelta(days=days)
        spec = AccessTokenSpec(name, roles, prefix, ends)
        return self._database.write_blocking(lambda t: create(t.connection, spec, now))[0]

    def expire(self, name: str) -> None:
        """Let an access token have expired a minute ago."""
        ended = datetime.now(UTC) - timedelta(minutes=1)
        statement = update(AccessToken).where(AccessToken.name == name).values(expires_at=ended)
        self._database.write_blocking(lambda t: t.connection.execute(statement))

    def revoke(self, name: str) -> None:
        """Revoke an access token."""
        self._database.write_blocking(lambda t: revoke(t.connection, name))

    def add_task(self, name: str, owner: str | None = OWNER) -> JobGrant:
        """A new task with the processes p and q, and what tokens of its jobs are for."""
        spec = TaskSpec(name, [ProcessSpec("p"), ProcessSpec("q")])
        principal = Principal(owner, ANYONE.roles)
        work = create_tasks(self.settings, [spec], datetime.now(UTC), principal)
        [task] = self._database.write_blocking(work)
        return JobGrant(task.id, task.token_generation)

    def job_token(self, grant: JobGrant, expires_at: float | None = None) -> str:
        """A token for jobs."""
        return job_tokens.issue(self.keys, grant, expires_at)

    def revoke_job_tokens(self, task: str) -> None:
        """Revoke the tokens of a task."""
        self._database.write_blocking(revoke_tokens(task, ANYONE))


def bearer(token: str | None) -> dict[str, Any]:
    """The headers of a request with this token."""
    return {} if token is None else {"authorization": f"Bearer {token}"}
