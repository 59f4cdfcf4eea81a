"""The command line, ``lamia-gql``: runs the server, maintains its database, and acts as a client.

``cli`` and ``task_commands`` declare the commands with the ``options`` they share and turn
``failures`` into exit codes. ``replay``, ``demo``, ``submit``, ``watch`` and the commands of
``task_commands`` are clients of a running server and know it by its GraphQL only: they send
the stored operations of ``graph`` with a ``server_client``.
"""
