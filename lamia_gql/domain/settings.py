"""The settings of the server: one flat list, the same names everywhere.

A setting comes, first found first, from the command line, from the environment (``LAMIA_`` and
its name in capitals), from a TOML file (``--config``, or ``LAMIA_CONFIG``), or from its default.
Sizes are in bytes, times in seconds.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


class Settings(BaseSettings):
    """What an operator can set; unknown names in a file are refused, so that typos are seen."""

    model_config = SettingsConfigDict(env_prefix="LAMIA_", extra="forbid", frozen=True)

    database_url: str = Field(
        "sqlite:///lamia.sqlite",
        description="Where the data lives: sqlite:///FILE, or postgresql://USER:PASSWORD@HOST/NAME.",
    )
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(
        8088, ge=0, le=65535, description="The port to listen on; 0 takes a free one."
    )
    workers: int = Field(
        1,
        ge=1,
        le=256,
        description="How many processes serve; more than one needs PostgreSQL.",
    )
    log_level: str = Field(
        "info",
        pattern="^(critical|error|warning|info|debug)$",
        description="How much to log: critical, error, warning, info or debug.",
    )
    beat_interval: float | None = Field(
        None,
        gt=0,
        description="How often jobs are expected to beat where their process does not say.",
    )
    page_limit: int = Field(
        100, ge=1, description="The most that `first` or `last` may ask of a list."
    )
    timeline_limit: int = Field(
        500, ge=2, description="The most points that a `timeline` may be asked for."
    )
    max_job_count: int = Field(1_000_000, ge=1, description="The most jobs in one array.")
    max_processes: int = Field(1_000, ge=1, description="The most processes in one task.")
    max_tasks_per_request: int = Field(
        100, ge=1, description="The most tasks that one request may create or delete."
    )
    max_events_per_request: int = Field(
        1_000, ge=1, description="The most events that one request may submit."
    )
    max_name_length: int = Field(
        200,
        ge=1,
        le=255,
        description="The most characters in a name of a task, process, tag or user.",
    )
    max_text_length: int = Field(
        4_096, ge=1, description="The most characters in a comment, address or host name."
    )
    max_payload_bytes: int = Field(
        65_536, ge=0, description="The largest JSON payload of one event."
    )
    max_config_bytes: int = Field(
        1_048_576, ge=0, description="The largest JSON config, or dependency graph, of one task."
    )
    max_request_bytes: int = Field(
        16_777_216, ge=1024, description="The largest body of one HTTP request."
    )
    max_document_characters: int = Field(
        20_000, ge=1_000, description="The most characters in one GraphQL document."
    )
    max_document_tokens: int = Field(
        1_000, ge=200, le=20_000, description="The most tokens in one GraphQL document."
    )
    max_definitions: int = Field(
        50, ge=1, le=500, description="The most operations and fragments in one GraphQL document."
    )
    max_depth: int = Field(
        20, ge=1, le=50, description="How deep fields, or values, of an operation may be nested."
    )
    max_aliases: int = Field(100, ge=0, description="The most aliases in one GraphQL document.")
    max_duplicates: int = Field(
        100,
        ge=0,
        description="The most fields of a GraphQL document that repeat another one of their place.",
    )
    max_directives: int = Field(
        50, ge=0, description="The most directives in one GraphQL document."
    )
    max_cost: int = Field(
        1_000_000, ge=1, description="The most values that the answer to an operation may have."
    )
    max_operation_time: float = Field(
        30.0, gt=0, description="How long one operation may read before it is stopped, in seconds."
    )
    max_waiting_events: int = Field(
        50_000,
        ge=1,
        description="The most events that may wait for their commit; beyond, the server is BUSY.",
    )
    commit_batch: int = Field(
        1_000, ge=1, description="The most events that are committed in one transaction."
    )
    max_connections_per_address: int = Field(
        2_000,
        ge=1,
        description="The most live connections, WebSocket and SSE, of one client address to one"
        " process of the server.",
    )
    max_subscriptions_per_connection: int = Field(
        256, ge=1, description="The most operations that may run at once on one WebSocket."
    )
    max_message_bytes: int = Field(
        1_048_576, ge=1024, description="The largest message that a WebSocket client may send."
    )
    max_waiting_changes: int = Field(
        10_000,
        ge=1,
        description="The most events, or changed tasks, that may wait for a subscriber; beyond, it"
        " is TOO_SLOW.",
    )
    send_timeout: float = Field(
        30.0, gt=0, description="How long a live client may refuse to read before it is cut off."
    )
    snapshot_interval: float = Field(
        0.25, gt=0, description="The least time between two snapshots of a task that changes."
    )
    database_connections: int = Field(
        8, ge=1, le=200, description="The most connections that read the database at once."
    )
    database_timeout: float = Field(
        30.0, gt=0, description="How long to wait for a lock or a connection before giving up."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the file that ``LAMIA_CONFIG`` names behind the environment."""
        config = os.environ.get("LAMIA_CONFIG")
        if config is None:
            return init_settings, env_settings
        if not Path(config).is_file():
            raise FileNotFoundError(f"The settings file {config} does not exist.")
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(config))


def load(**overrides: Any) -> Settings:
    """The settings of this process; an override of None counts as not given.

    Raises ``pydantic.ValidationError`` for a bad value and ``FileNotFoundError`` for a file that
    is not there.
    """
    return Settings(**{name: value for name, value in overrides.items() if value is not None})
