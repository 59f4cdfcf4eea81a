"""The command line, ``lamia-gql``: runs the server, maintains its database, and acts as a client.

``cli`` and the modules named ``*_commands`` declare the commands with the ``options`` they share
and turn ``failures`` into exit codes. The commands that are clients of a running server, such as
``replay``, ``watch`` and those of ``task_commands``, know it by its GraphQL only: they send the
stored operations of ``graph`` with a ``server_client``.
"""
