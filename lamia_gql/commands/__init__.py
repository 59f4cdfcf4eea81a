"""Commands that are clients of a running server, and know nothing of its inside."""
