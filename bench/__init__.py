"""The benchmark: ``make bench``, and what it takes; see ``docs/performance.md``."""
