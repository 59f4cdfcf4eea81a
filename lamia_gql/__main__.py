"""``python -m lamia_gql`` is the same as ``lamia-gql``."""

from lamia_gql.commands.cli import main

# Worker processes import this, and are to do something else.
if __name__ == "__main__":
    main()
