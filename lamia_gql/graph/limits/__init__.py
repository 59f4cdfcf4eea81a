"""Limits on operations: size, depth, cost and time."""
