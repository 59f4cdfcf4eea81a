"""The REST API, version 0, and the hook of Nextflow: the services without GraphQL.

A ``request`` passes through these modules: ``routes`` (the address), ``endpoint`` (errors and
status codes), ``tasks``, ``processes``, ``events``, ``submissions`` or ``nextflow`` (the action),
``parsing`` (from JSON bodies to the input of the services) and ``serializers`` (from rows to JSON).
See ``docs/rest.md``.
"""
