"""Workflow tools that report to a server: the real ones, in an environment of their own."""
