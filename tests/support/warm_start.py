"""Imported by the process of which servers are copies, after all that they need."""

from __future__ import annotations

import gc

from sqlalchemy.orm import configure_mappers

from lamia_gql.domain.settings import load
from lamia_gql.server.app import create_app

# What is made once per process, like the schema, is made for all of them.
create_app(load(database_url="sqlite://"))
configure_mappers()
# Whoever begins would look at all of it for garbage, and so get copies of all its memory.
gc.collect()
gc.freeze()
