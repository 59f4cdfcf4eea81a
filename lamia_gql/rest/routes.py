"""What there is at which address of ``/api/v0``."""

from __future__ import annotations

from starlette.routing import Route

from lamia_gql.rest import events, processes, tasks
from lamia_gql.rest.endpoint import Door
from lamia_gql.rest.serializers import BASE

API = [
    Route(
        BASE,
        Door(
            GET=tasks.get_many,
            POST=tasks.create_many,
            PUT=tasks.edit_many,
            DELETE=tasks.delete_many,
        ),
    ),
    Route(
        BASE + "/{task}",
        Door(GET=tasks.get, POST=tasks.create, PUT=tasks.edit, DELETE=tasks.delete),
    ),
    Route(BASE + "/{task}/@all", Door(GET=processes.get_many)),
    Route(BASE + "/{task}/{process}", Door(GET=processes.get, PATCH=events.submit)),
    Route(BASE + "/{task}/{process}/event", Door(GET=events.get, POST=events.submit)),
    Route(BASE + "/{rest:path}", Door()),
]
"""The routes; the first one that fits is it."""
