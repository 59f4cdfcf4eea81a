"""GraphQL clients that others make, on a running server."""
