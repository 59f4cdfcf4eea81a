"""Adapters: what batch systems and workflow tools write about their jobs becomes events.

The ids of these events follow from what was read. So whatever is read twice, by one follower after
a crash or by two on different machines, is stored once.
"""
