"""Imported by the process of which servers are copies, after all that they need."""

from __future__ import annotations

import gc

# Whoever begins would look at all of it for garbage, and so get copies of all its memory.
gc.collect()
gc.freeze()
