"""The ASGI application (``app``) and the processes that serve it (``run``, ``supervisor``)."""
