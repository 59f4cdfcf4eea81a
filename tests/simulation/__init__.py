"""Histories made from a seed, run against real servers under faults, and judged by a model.

``README.md`` beside this file says how it is put together and how it is used.
"""
