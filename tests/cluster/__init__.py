"""A PostgreSQL that fails over, three servers and a fleet of jobs: ``make test-cluster``."""
