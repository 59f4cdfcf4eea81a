"""How Alembic connects: on the connection that it is given, or by the settings."""

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.types import TypeDecorator

import lamia_gql.storage.models
import lamia_gql.storage.service_models  # noqa: F401  (they declare the tables)
from alembic import context
from lamia_gql.domain.settings import load
from lamia_gql.storage.base import Base
from lamia_gql.storage.engine import create_engine
from lamia_gql.storage.partitions import comparison


def render_item(kind: str, item: Any, _context: Any) -> str | bool:
    """Render our own column types as their implementation, so that migrations never change."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    return False


def run(connection: Connection) -> None:
    """Run the requested migrations on one connection, in its transaction."""
    options: dict[str, Any] = {"render_item": render_item, **comparison(connection)}
    context.configure(connection=connection, target_metadata=Base.metadata, **options)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(load()).connect() as opened, opened.begin():
        run(opened)
