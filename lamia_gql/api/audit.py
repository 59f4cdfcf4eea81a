"""The audit log: who has created, changed and deleted what, and issued and revoked which tokens.

A line is written once the change is committed. It never has a token.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from enum import StrEnum

from lamia_gql.domain.access import Principal

AUDIT_LOG = "lamia_gql.audit"
"""The logger. All its lines are written, whatever the level of the others."""

log = logging.getLogger(AUDIT_LOG)

MAX_SHOWN_NAMES = 100
"""How many names a line has: no request may concern more tasks by default."""


class Action(StrEnum):
    """What was done."""

    CREATE_TASK = "created task"
    UPDATE_TASK = "changed task"
    ADD_PROCESSES = "added processes to task"
    GROW_PROCESS = "gave an array more jobs in task"
    DELETE_TASK = "deleted task"
    ISSUE_TASK_TOKEN = "issued a token of task"
    REVOKE_TASK_TOKENS = "revoked the tokens of task"
    CREATE_ACCESS_TOKEN = "created access token"
    REVOKE_ACCESS_TOKEN = "revoked access token"


def audit(
    principal: Principal, address: str | None, action: Action, names: Iterable[str | None]
) -> None:
    """Write a line to the audit log, unless there is no name of what was changed."""
    shown = [name for name in names if name is not None]
    if not shown:
        return
    more = len(shown) - MAX_SHOWN_NAMES
    listed = ", ".join(shown[:MAX_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
    log.info(
        "%s at %s %s %s",
        principal.subject or "anybody",
        address or "an unknown address",
        action,
        listed,
        extra={
            "subject": principal.subject,
            "address": address,
            "action": action.name,
            "names": shown[:MAX_SHOWN_NAMES],
        },
    )
