"""A task whose arrays become known, and grow, while it runs: that of a workflow tool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lamia_gql.client.backoff import Backoff
from lamia_gql.client.configuration import ServerConfig
from lamia_gql.client.server_connection import ServerConnection, ServerUnavailableError
from lamia_gql.client.spool import Spool

CREATE_TASK = """\
mutation CreateTask($input: CreateTaskInput!) {
  createTask(input: $input) {
    token
    task {
      id
      name
    }
    userErrors {
      code
      field
      message
    }
  }
}
"""
ADD_PROCESSES = """\
mutation AddProcesses($input: AddProcessesInput!) {
  addProcesses(input: $input) {
    userErrors {
      code
      field
      message
    }
  }
}
"""
GROW_PROCESS = """\
mutation GrowProcess($input: GrowProcessInput!) {
  growProcess(input: $input) {
    userErrors {
      code
      field
      message
    }
  }
}
"""
PROCESS_SIZES = """\
query ProcessSizes($name: String!, $after: String) {
  task(name: $name) {
    id
    processes(first: 100, after: $after) {
      nodes {
        id
        name
        jobCount
      }
      pageInfo {
        endCursor
        hasNextPage
      }
    }
  }
}
"""


class TaskRefusedError(Exception):
    """The server refuses the task or one of its arrays for good; a sentence for the user."""


class GrowingTask:
    """A task on a server, with arrays that are made and enlarged as they are needed.

    Args:
        server: The server.
        name: The name of the task.
        fields: More fields of ``CreateTaskInput``, for a task that does not exist yet.
    """

    def __init__(self, server: ServerConfig, name: str, fields: Mapping[str, Any]) -> None:
        self.name = name
        self._backoff = Backoff(Spool(server.spool, server.url).down)
        self._connection = ServerConnection(server, self._note_slow)
        self._fields = fields
        self._sizes: dict[str, int] | None = None
        """The sizes of the arrays on the server, as far as they are known."""
        self._wanted: dict[str, int] = {}
        self.is_new = False
        """Whether the task did not exist before."""

    def size(self, process: str) -> int:
        """How many jobs the array has on the server; 0 if that is not known."""
        return 0 if self._sizes is None else self._sizes.get(process, 0)

    def want(self, sizes: Mapping[str, int]) -> None:
        """Ask for arrays with at least so many jobs; :meth:`update` makes them."""
        for name, size in sizes.items():
            self._wanted[name] = max(size, self._wanted.get(name, 0))

    def update(self, *, at_once: bool = False) -> None:
        """Create what is wanted and does not exist.

        After a failure, the server is left alone for up to a minute, unless it is to be
        ``at_once``. Raises :class:`ServerUnavailableError` if that failed now, and
        :class:`TaskRefusedError`.
        """
        if not self._wanted or self._backoff.remaining_s(is_closing=at_once) > 0:
            return
        try:
            if self._sizes is None:
                self._create()
            if self._sizes is None:
                self._sizes = self._read_sizes()
            self._extend(self._sizes)
        except ServerUnavailableError:
            self._backoff.note_failure(self._connection.retry_after_s)
            raise
        self._backoff.note_success()

    def close(self) -> None:
        """Disconnect from the server."""
        self._connection.close()

    def _note_slow(self) -> None:
        self._backoff.is_slow = True

    def _create(self) -> None:
        errors = self._change(
            CREATE_TASK, {"name": self.name, **self._fields, "processes": _arrays(self._wanted)}
        )
        if not errors:
            self._sizes, self.is_new = dict(self._wanted), True
        elif {error["code"] for error in errors} != {"NAME_TAKEN"}:
            raise TaskRefusedError(_text(errors))

    def _extend(self, sizes: dict[str, int]) -> None:
        """Add the arrays that are missing, and enlarge those that are too small."""
        new = {name: size for name, size in self._wanted.items() if name not in sizes}
        if new:
            self._require(ADD_PROCESSES, {"task": self.name, "processes": _arrays(new)})
            sizes.update(new)
        for name, size in self._wanted.items():
            if size > sizes[name]:
                self._require(GROW_PROCESS, {"task": self.name, "process": name, "jobCount": size})
                sizes[name] = size

    def _read_sizes(self) -> dict[str, int]:
        sizes: dict[str, int] = {}
        cursor = None
        while True:
            task = self._connection.execute(PROCESS_SIZES, {"name": self.name, "after": cursor})
            if task["task"] is None:
                raise ServerUnavailableError(f"The task “{self.name}” was deleted meanwhile.")
            page = task["task"]["processes"]
            sizes.update((process["name"], process["jobCount"]) for process in page["nodes"])
            cursor = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return sizes

    def _require(self, document: str, given: Mapping[str, Any]) -> None:
        errors = self._change(document, given)
        if errors:
            raise TaskRefusedError(_text(errors))

    def _change(self, document: str, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Run a mutation, and return its user errors."""
        [payload] = self._connection.execute(document, {"input": given}).values()
        errors: list[dict[str, Any]] = payload["userErrors"]
        return errors


def _arrays(sizes: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"name": name, "jobCount": size} for name, size in sizes.items()]


def _text(errors: list[dict[str, Any]]) -> str:
    return " ".join(str(error["message"]) for error in errors[:3])
