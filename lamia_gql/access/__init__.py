"""Credentials: what they are made of, and which principal each of them is."""
