"""The REST API, version 0: a thin façade over the services, beside GraphQL.

A request passes through these modules: ``routes`` (the address), ``endpoint`` (errors and status
codes), ``tasks``, ``processes`` or ``events`` (the action), ``parsing`` (from JSON bodies to the
input of the services) and ``serializers`` (from rows to JSON). See ``docs/rest.md``.
"""
