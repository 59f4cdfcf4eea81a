"""``lamia-gql follow slurm``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from lamia_gql.commands.failures import fail
from lamia_gql.commands.follow_commands import follow_options, run_follower


@click.command()
@click.argument("jobs", nargs=-1, metavar="[JOB]...")
@click.option("--task", help="Task of the JOBs, as far as they have no label.")
@click.option("--process", help="Process of the JOBs, as far as they have no label.")
@click.option("--user", help="Whose jobs. Defaults to you.")
@click.option("--all-users", is_flag=True, help="Jobs of all users.")
@click.option(
    "--since",
    metavar="TIME",
    help="At the first time, also tell what has ended since TIME, as sacct takes it: now-2days.",
)
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=15.0,
    show_default=True,
    help="Seconds between two looks.",
)
@follow_options
def slurm(
    jobs: tuple[str, ...],
    task: str | None,
    process: str | None,
    user: str | None,
    all_users: bool,
    since: str | None,
    interval: float,
    once: bool,
    state_path: Path | None,
    url: str,
) -> None:
    """Follow jobs of Slurm by squeue and, where it keeps accounts, sacct.

    Follows your jobs whose comment or name has a label like `lamia:TASK/PROCESS`. With JOBs, the
    numbers of jobs or arrays, only these; with --task and --process they need no label.
    """
    from lamia_gql.adapters.slurm.job_label import JobLabel
    from lamia_gql.adapters.slurm.source import JobSelection, SlurmJobs

    label = None
    if task is not None or process is not None:
        if task is None or process is None or not jobs:
            fail(2, "--task and --process need each other, and the numbers of JOBs.")
        label = JobLabel(task, process)
    owner = None if all_users else user or str(os.getuid())
    source = SlurmJobs(JobSelection(owner, frozenset(jobs), label), interval, since)
    run_follower("slurm", source, once=once, state_path=state_path, url=url)
