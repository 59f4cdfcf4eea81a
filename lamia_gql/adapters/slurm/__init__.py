"""Slurm: jobs as ``squeue`` and ``sacct`` show them become events, for followers and for hooks.

Both make the same events with the same ids, so whoever uses several of them counts once.
"""
