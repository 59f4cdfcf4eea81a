"""The tables of the server itself, which belong to no task: access tokens and notifications."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from lamia_gql.domain.notifications import Channel, Occasion
from lamia_gql.storage.base import Base
from lamia_gql.storage.column_types import UUIDText
from lamia_gql.storage.constraints import one_of


class AccessToken(Base):
    """A credential of a person or a service. The token itself is not stored."""

    __tablename__ = "access_token"
    # An id is never used twice: the largest one tells whether there are new tokens.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  (SQLAlchemy's form)

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    name: Mapped[str] = mapped_column(String(255), unique=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    """The SHA-256 of the token, in hexadecimal digits."""
    roles: Mapped[str]
    """The names of the roles, separated by commas."""
    prefix: Mapped[str] = mapped_column(String(255), default="")
    """What the names of the tasks begin with that it may change or submit events to."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    """When it was used last, up to an hour before."""


class Notification(Base):
    """A notification that waits for its delivery to one receiver, after which it is removed.

    It does not refer to its task, which may be deleted meanwhile.
    """

    __tablename__ = "notification"
    __table_args__ = (
        one_of("occasion", Occasion),
        one_of("channel", Channel),
        Index("ix_notification_due", "channel", "receiver", "due_at"),
    )

    id: Mapped[str] = mapped_column(UUIDText, primary_key=True)
    """The same for every attempt, so that the receiver can tell a repetition."""
    occasion: Mapped[str] = mapped_column(String(16))
    channel: Mapped[str] = mapped_column(String(16))
    receiver: Mapped[str]
    """An e-mail address; else the digest of a URL of the settings, which may have a password."""
    task: Mapped[str] = mapped_column(String(255))
    facts: Mapped[str]
    """JSON text: what there is to say about the task, as it was then."""
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    """When to try next; while a server tries, when others may."""
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    """How many have begun."""
