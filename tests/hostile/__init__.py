"""Attacks on a running server, while others use it: see ``bystanders``."""
