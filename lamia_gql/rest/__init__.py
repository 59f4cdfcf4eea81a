"""The REST interface, version 0: a thin façade over the services, beside the graph.

A request goes through ``routes`` (which address), ``door`` (errors and statuses), ``tasks``,
``processes`` or ``events`` (what is done), ``bodies`` (what came in) and ``shapes`` (what goes
out). See ``docs/rest.md``.
"""
