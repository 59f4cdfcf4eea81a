"""All processes of a task, which are read once for whatever needs them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lamia_gql.graph.plans.levels import Needs
from lamia_gql.graph.plans.pages import PageChild
from lamia_gql.storage.models import Process
from lamia_gql.storage.row_shape import RowShape


class SharedProcesses:
    """What the fields of a task, and the pages of its processes, need of all of them."""

    def __init__(self) -> None:
        self.shape: RowShape[Any] | None = None
        """What is read of them, if fields of the task need any."""
        self._needs = Needs()
        self._pages: list[PageChild] = []
        self._have_names = False

    def need(self, columns: Collection[str], *, have_names: bool = True) -> None:
        """Read these columns for a field; ``have_names`` if it takes rows whose values have names.

        Rows without names cost less, and are enough for generated code.
        """
        self._needs.names.update(columns)
        self._have_names |= have_names and bool(columns)

    def add_page(self, page: PageChild) -> None:
        """Let a page of them be one of these."""
        self._pages.append(page)

    def share(self) -> None:
        """Once all fields are compiled, determine the shape."""
        if not self._needs.names:
            return
        is_plain = not self._have_names and all(page.is_plain for page in self._pages)
        for page in self._pages:
            self._needs.add(page.needs)
            page.needs, page.is_plain = self._needs, is_plain
        self.shape = self._needs.shape(Process, is_plain=is_plain)
