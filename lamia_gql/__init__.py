"""lamia-gql: a monitoring server for batch work, with one GraphQL query for the whole picture."""

__version__ = "0.1.0"
