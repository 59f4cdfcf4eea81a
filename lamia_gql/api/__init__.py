"""Shared by GraphQL and REST: the services of the application, and the parsing of requests."""
