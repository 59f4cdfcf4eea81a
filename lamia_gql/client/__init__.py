"""The job side of lamia-gql: reports the events of a job to a server, and never harms the job.

It needs only the standard library of Python 3.9 or newer, so it runs on any node::

    from lamia_gql.client import Job

    with Job() as job:          # LAMIA_URL, LAMIA_TASK and LAMIA_PROCESS identify server and job
        job.progress(10)
        if job.enough:
            ...

Events flow in one direction::

    wrapper, monitor ──→ job ──→ sender ──→ delivery ──→ server_connection ──→ the server
                                   ↓            ↑
                                 spool ──→ flusher

- ``wrapper`` runs a program (``lamia-job run``): ``program`` starts it with its ``descriptors``,
  ``output`` copies what it writes, ``progress_scanner`` finds progress in that
  (``progress_search`` is a process of its own), ``usage`` measures it, and ``monitor`` sends beats
  and progress while it runs.
- ``job`` makes an ``event`` out of each report, with ``event_details`` that tell why it has ended;
  ``configuration`` and ``batch_systems`` (with ``class_ad``) tell whose events they are and which
  server gets them, ``event_clock`` gives them times.
- ``sender`` queues events and sends them from a thread; what it can't send goes to ``spool``,
  and waits in memory till then (``waiting_events``).
  ``backoff`` tells it when to try again, and ``down_mark`` tells that to other jobs.
- ``unclosed_jobs`` are closed when Python exits.
- ``progress_counter`` counts the steps of loops (``job.track``), ``tqdm`` takes the place of tqdm;
  ``shared_job`` is for those who are given no job.
- ``job_executor`` makes the calls of an executor the jobs of an array.
- ``event_stream`` sends events of many jobs, as lines of JSON (``lamia-job emit --batch``).
- ``spool_file_name`` tells how files in the spool are called.
- ``flusher`` reads the spool and sends its content, for the sender and for ``lamia-job flush``
  (``spool_flush``).
- ``delivery`` sorts events by the server's results: stored, refused, or kept for later;
  ``request_limits`` tells how many fit into a request, ``refused_events`` keeps what is refused.
- ``server_connection`` uses ``http_exchange``, which speaks HTTP, also through ``proxies``, and
  follows some ``redirects``; ``watchdog`` interrupts it when the server is too slow.
- ``workflow`` reports the jobs of a workflow from the process of the workflow tool, and
  ``growing_task`` makes their arrays.
- ``launcher`` starts the single file ``lamia-job.pyz``, and the program alone if Python is too old.

The way back is short: a delivery's result sets ``job.enough``, and its warnings go to the
``warning_log``, which prints each kind once.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamia_gql.client.job import Job

__all__ = ["Job"]


def __getattr__(name: str) -> object:
    # Imported on first use: `lamia-job run` starts its program before it needs the class.
    if name == "Job":
        from lamia_gql.client.job import Job

        return Job
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
