"""Tests of what hardly depends on the engine: quick ones on one of both, slow ones on the other."""

from __future__ import annotations

from typing import Literal

import pytest

Engine = Literal["sqlite", "postgresql"]


def quick_on(engine: Engine, fixture: str = "server") -> pytest.MarkDecorator:
    """Mark a test as slow on the other engine.

    ``fixture`` is the one that has the engine as its parameter.
    """
    other: Engine = "postgresql" if engine == "sqlite" else "sqlite"
    engines = [engine, pytest.param(other, marks=pytest.mark.slow)]
    return pytest.mark.parametrize(fixture, engines, indirect=True)
