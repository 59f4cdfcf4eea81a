"""The base of the tables."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Double, MetaData, Text
from sqlalchemy.orm import DeclarativeBase

from lamia_gql.storage.column_types import UTCDateTime
from lamia_gql.storage.constraints import NAMING


class Base(DeclarativeBase):
    """The base of the tables. Every constraint has a name, by which migrations find it."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012  (the name and form that SQLAlchemy asks for)
        datetime: UTCDateTime,
        str: Text,
        float: Double,
    }
