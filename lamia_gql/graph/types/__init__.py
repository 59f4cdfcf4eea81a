"""The GraphQL types, one module for each object of the schema."""

# Strawberry reads the descriptions of enums as the types are defined, so they come first.
from lamia_gql.graph.types import enums as enums
