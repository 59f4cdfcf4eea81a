"""``snakemake --logger lamia``: the jobs of a workflow are reported to a lamia-gql server."""

import os
from dataclasses import dataclass, field
from datetime import datetime
from logging import LogRecord
from typing import Optional

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase

from lamia_gql.client.configuration import ConfigurationError
from lamia_gql.client.workflow import Workflow
from snakemake_logger_plugin_lamia.index_file import IndexFile
from snakemake_logger_plugin_lamia.workflow_run import WorkflowRun

__all__ = ["LogHandler", "LogHandlerSettings"]


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """The options ``--logger-lamia-…``. The token is read as by ``lamia-job``: LAMIA_TOKEN."""

    # Snakemake makes options of the annotations, and understands no other form of them.
    url: Optional[str] = field(  # noqa: UP045
        default=None,
        metadata={"help": "Address of the server. Defaults to LAMIA_URL.", "env_var": False},
    )
    task: Optional[str] = field(  # noqa: UP045
        default=None,
        metadata={
            "help": "Name of the task. Defaults to LAMIA_TASK, else to the name of the folder and"
            " the time. A task of this name that exists is continued.",
            "env_var": False,
        },
    )


class LogHandler(LogHandlerBase):
    """Gets the records of a workflow, in a thread of their own."""

    def __post_init__(self) -> None:
        """Connect to nothing yet. Raises :class:`WorkflowError` if there is no address."""
        self._run: WorkflowRun | None = None
        if self.common_settings.dryrun:
            return
        given = self.settings
        assert isinstance(given, LogHandlerSettings)
        folder = os.path.basename(os.getcwd()) or "workflow"
        default = f"{folder}-{datetime.now():%Y%m%d-%H%M%S}"
        task = given.task or os.environ.get("LAMIA_TASK") or default
        try:
            workflow = Workflow(task, url=given.url, fields={"tags": ["snakemake"]})
        except ConfigurationError as error:
            raise WorkflowError(f"--logger lamia: {error}") from error
        self._run = WorkflowRun(workflow, IndexFile(".snakemake", task))

    def emit(self, record: LogRecord) -> None:
        """Report what the record tells about a job."""
        try:
            if self._run is not None:
                self._run.handle(record)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Wait a few seconds until all is sent."""
        run, self._run = self._run, None
        if run is not None:
            run.close()
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        """False: Snakemake prints as without it."""
        return False

    @property
    def writes_to_file(self) -> bool:
        """False: it has no log file."""
        return False

    @property
    def has_filter(self) -> bool:
        """True: it needs all records, however quiet Snakemake is."""
        return True

    @property
    def has_formatter(self) -> bool:
        """True: nothing is formatted."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """False: dependencies of rules are not reported."""
        return False
