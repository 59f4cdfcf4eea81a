"""``lamia-gql prune``: removes what is kept no longer, and says what it was."""

from __future__ import annotations

import asyncio

import click

from lamia_gql.domain.retention import Retention
from lamia_gql.domain.settings import Settings
from lamia_gql.ingest.expiry import read_size
from lamia_gql.ingest.pruner import OtherPrunes, Pruned, Pruning
from lamia_gql.ingest.purger import purge
from lamia_gql.ingest.retention_clock import read_time
from lamia_gql.storage import migrations
from lamia_gql.storage.database import Database
from lamia_gql.storage.database_url import parse_url
from lamia_gql.storage.free_space import read_space, rewrite
from lamia_gql.storage.sqlite_file import require_file

MEGABYTE = 1_000_000


class CannotPrune(RuntimeError):  # noqa: N818  (it says what is the case)
    """There is nothing to do, or not now; a sentence for the operator says why."""

    def __init__(self, exit_code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


def prune(settings: Settings, *, dry_run: bool, vacuum: bool) -> None:
    """Prune once, and print what was removed.

    Raises :class:`CannotPrune`, :class:`lamia_gql.domain.errors.Unavailable`, and what the database
    raises.

    Args:
        settings: the settings, with the database and what is kept for how long.
        dry_run: whether nothing is to be removed.
        vacuum: whether a SQLite file is to be written anew.
    """
    retention = Retention.of(settings)
    if not (retention.removes_anything or vacuum):
        raise CannotPrune(
            2, "Everything is kept for ever: set retention_succeeded_days, or another of retention."
        )
    url = parse_url(settings.database_url)
    require_file(url)
    if vacuum and url.get_backend_name() != "sqlite":
        raise CannotPrune(2, "PostgreSQL reuses free space by itself; --vacuum is for SQLite.")
    database = Database(settings)
    try:
        if not database.read_blocking(migrations.is_usable):
            raise migrations.NotMigrated
        if retention.removes_anything:
            asyncio.run((_estimate if dry_run else _prune)(database, retention))
        if vacuum and not dry_run:
            rewrite(database.engine)
            size = database.read_blocking(read_space).total
            click.echo(f"The file was written anew, and has {_megabytes(size)}.")
    except OtherPrunes as error:
        raise CannotPrune(1, "A server prunes this database now; try again later.") from error
    finally:
        database.close()


async def _estimate(database: Database, retention: Retention) -> None:
    pruning = Pruning(database, retention, await database.read(read_time))
    async for tasks in pruning.expired():
        for task in tasks:
            last = task.last_received_at.isoformat(" ", "seconds")
            click.echo(f"{task.name}: {task.state}, last event {last}")
    pruned = await pruning.estimate()
    space = await database.read(read_space)
    everything = await database.read(read_size)
    share = pruned.rows / max(everything.rows, 1)
    click.echo(f"Would remove {_describe(pruned)}.")
    click.echo(
        f"By the share of the rows, that is about {_megabytes(round(space.total * share))}"
        f" of {_megabytes(space.total)}."
    )


async def _prune(database: Database, retention: Retention) -> None:
    before = await database.read(read_space)
    everything = await database.read(read_size)
    pruned = await Pruning(database, retention, await database.read(read_time)).run()
    await purge(database, retention.shortest)
    click.echo(f"Removed {_describe(pruned)}.")
    after = await database.read(read_space)
    if database.has_other_servers:
        freed = round(before.total * pruned.rows / max(everything.rows, 1))
        click.echo(
            f"By the share of the rows, that is about {_megabytes(freed)} of"
            f" {_megabytes(before.total)}, which PostgreSQL will use for new rows."
        )
        return
    freed = before.total - before.free - (after.total - after.free)
    click.echo(f"That was {_megabytes(freed)}; the file has {_megabytes(after.total)} now.")
    if after.free and not after.can_shrink:
        click.echo(
            f"Of these, {_megabytes(after.free)} are free for new rows. To give them back, stop the"
            " server and run: lamia-gql prune --vacuum"
        )


def _describe(pruned: Pruned) -> str:
    size = pruned.size
    return (
        f"{size.tasks:,} tasks with {size.processes:,} processes, {size.jobs:,} jobs,"
        f" {size.events:,} events and {size.samples:,} samples, and {pruned.beats:,} BEATs of"
        " other tasks"
    )


def _megabytes(size: int) -> str:
    return f"{max(size, 0) / MEGABYTE:,.1f} MB"
