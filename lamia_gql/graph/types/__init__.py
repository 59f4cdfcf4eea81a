"""The GraphQL types, one module for each object of the schema."""

# Strawberry reads the descriptions of enums when other types refer to them, so they come first.
from lamia_gql.graph.types import enums as enums
