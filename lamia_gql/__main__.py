"""``python -m lamia_gql`` runs the command ``lamia-gql``."""

from lamia_gql.commands.cli import main

# Worker processes import this module too, but do not run the command.
if __name__ == "__main__":
    main()
