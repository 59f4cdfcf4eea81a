"""Tests of GraphQL, REST and the command line, against a running server."""
