"""What sgqlc sees of the server at the address in the first argument.

Its schema was generated from the server's, into a module on Python's path. It has no subscriptions:
it speaks only a protocol that graphql-ws has replaced.
"""

from __future__ import annotations

import json
import sys

from lamia_schema import JobArray, SubmitEventInput, lamia_schema
from sgqlc.endpoint.http import HTTPEndpoint
from sgqlc.operation import Operation

endpoint = HTTPEndpoint(sys.argv[1])

query = Operation(lamia_schema.query_type)
task = query.task(name="t")
task.__fields__("name", "state")
array = query.process(task="t", name="a").__as__(JobArray)
array.jobs(first=2).nodes.index()
found = query + endpoint(query)

mutation = Operation(lamia_schema.mutation_type)
event = SubmitEventInput(task="t", process="a", index=1, event_class="STARTED")
submitted = mutation.submit_event(input=event)
submitted.event.event_class()
submitted.user_errors.code()
done = mutation + endpoint(mutation)

told = {
    "query": {"name": found.task.name, "state": found.task.state},
    "jobs": [job.index for job in found.process.jobs.nodes],
    "mutation": done.submit_event.event.event_class,
}
print(json.dumps(told))
