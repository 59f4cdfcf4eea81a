"""The command line, ``lamia-gql``: runs the server, maintains its database, and acts as a client.

``cli`` declares the commands with the ``options`` they share and turns ``failures`` into exit
codes. ``replay``, ``demo``, ``submit`` and ``watch`` are clients of a running server and know it
by its GraphQL only: they send ``stored_operations`` with a ``server_client``.
"""
