"""The tokens of a task: what they allow, and how all of them are revoked at once."""

from __future__ import annotations

from sqlalchemy import select, update

from lamia_gql.domain.access import JobGrant, Principal
from lamia_gql.domain.not_found import process_not_found
from lamia_gql.ingest.task_input import InvalidInput
from lamia_gql.ingest.tasks import Work, lock_task
from lamia_gql.storage.models import Process, Task
from lamia_gql.storage.rows import TaskRow
from lamia_gql.storage.transaction import WriteTransaction


def grant_of(name: str, process: str | None, principal: Principal) -> Work[JobGrant]:
    """What a new token of the task, or of one of its processes, allows.

    Raises :class:`InvalidInput` if there is no such task or process, or if ``principal`` may not
    change the task.
    """

    def work(transaction: WriteTransaction) -> JobGrant:
        task = lock_task(transaction, principal, name)
        if process is not None and not transaction.connection.scalar(
            select(Process.number + 1).where(Process.task_id == task.id, Process.name == process)
        ):
            raise InvalidInput([process_not_found(name, process)])
        return JobGrant(task.id, task.token_generation, process)

    return work


def revoke_tokens(name: str, principal: Principal) -> Work[TaskRow]:
    """Revoke all tokens of a task that were issued so far; the task. Raises as :func:`grant_of`."""

    def work(transaction: WriteTransaction) -> TaskRow:
        task = lock_task(transaction, principal, name)
        generation = task.token_generation + 1
        transaction.connection.execute(
            update(Task).where(Task.id == task.id).values(token_generation=generation)
        )
        return task._replace(token_generation=generation)

    return work
