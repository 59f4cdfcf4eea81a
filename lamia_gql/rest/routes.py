"""The addresses below ``/api/v0``."""

from __future__ import annotations

from starlette.routing import Route

from lamia_gql.rest import events, processes, submissions, tasks
from lamia_gql.rest.endpoint import Endpoint
from lamia_gql.rest.serializers import BASE

API = [
    Route(
        BASE,
        Endpoint(
            GET=tasks.get_many,
            POST=tasks.create_many,
            PUT=tasks.edit_many,
            DELETE=tasks.delete_many,
        ),
    ),
    # All other methods are those of a task of this name.
    Route(f"{BASE}/{submissions.NAME}", Endpoint(POST=submissions.submit), methods=["POST"]),
    Route(
        BASE + "/{task}",
        Endpoint(GET=tasks.get, POST=tasks.create, PUT=tasks.edit, DELETE=tasks.delete),
    ),
    Route(BASE + "/{task}/@all", Endpoint(GET=processes.get_many)),
    Route(BASE + "/{task}/{process}", Endpoint(GET=processes.get, PATCH=events.submit)),
    Route(BASE + "/{task}/{process}/event", Endpoint(GET=events.get, POST=events.submit)),
    Route(BASE + "/{rest:path}", Endpoint()),
]
"""The routes; the first one that matches is used."""
