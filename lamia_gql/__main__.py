"""``python -m lamia_gql`` is the same as ``lamia-gql``."""

from lamia_gql.cli import main

main()
