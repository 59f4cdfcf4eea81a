"""The settings of the server: one flat list, with the same names in every source.

The value of a setting is the first found of: the command line, the environment (``LAMIA_`` and its
name in capitals), a TOML file (``--config``, or ``LAMIA_CONFIG``), its default. Sizes are in bytes,
times in seconds.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, IPvAnyNetwork
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


def _split(value: Any) -> Any:
    """Lists in the environment are separated by commas."""
    if not isinstance(value, str):
        return value
    return [entry.strip() for entry in value.split(",") if entry.strip()]


def _check_host_name(name: str) -> str:
    if not re.fullmatch(r"[\w-]+(\.[\w-]+)*\.?", name, re.ASCII):
        raise ValueError("a host name has no scheme and no port, as in lamia.example.org")
    return name.lower().removesuffix(".")


def _check_origin(origin: str) -> str:
    found = re.fullmatch(
        r"([a-z][a-z0-9+.-]*://(?:\[[0-9a-f:.]+\]|[\w.-]+))(:\d+)?/?", origin.lower()
    )
    if found is None:
        raise ValueError(
            "an origin is a scheme, a host and perhaps a port, as in https://example.org:8443"
        )
    address, port = found.groups()
    # Browsers leave out the default port.
    is_default = (address.partition(":")[0], port) in (("http", ":80"), ("https", ":443"))
    return address + (port if port and not is_default else "")


SPLIT = BeforeValidator(_split)
HostName = Annotated[str, AfterValidator(_check_host_name)]
Origin = Annotated[str, AfterValidator(_check_origin)]


class Settings(BaseSettings):
    """The settings of one server. A name that does not exist is refused, so that typos show."""

    model_config = SettingsConfigDict(env_prefix="LAMIA_", extra="forbid", frozen=True)

    database_url: str = Field(
        "sqlite:///lamia.sqlite",
        description="The database: sqlite:///FILE, or postgresql://USER:PASSWORD@HOST/NAME.",
    )
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(
        8088, ge=0, le=65535, description="The port to listen on; 0 chooses a free one."
    )
    allowed_hosts: Annotated[list[HostName], NoDecode, SPLIT] = Field(
        [],
        description="Host names by which clients may reach the server, besides those of its"
        " machine; IP addresses always may.",
    )
    allowed_origins: Annotated[list[Origin], NoDecode, SPLIT] = Field(
        [],
        description="Web sites whose pages may use the server, such as https://grafana.example.org;"
        " besides its own.",
    )
    trusted_proxies: Annotated[list[IPvAnyNetwork], NoDecode, SPLIT] = Field(
        [],
        description="IP addresses or networks of proxies whose X-Forwarded-For tells the address of"
        " a client.",
    )
    workers: int = Field(
        1,
        ge=1,
        le=256,
        description="The number of server processes; more than one requires PostgreSQL.",
    )
    log_level: str = Field(
        "info",
        pattern="^(critical|error|warning|info|debug)$",
        description="The lowest level to log: critical, error, warning, info or debug.",
    )
    beat_interval: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="The beat interval in seconds of processes that have none of their own.",
    )
    page_limit: int = Field(100, ge=1, description="The largest value of `first` and `last`.")
    timeline_limit: int = Field(
        500, ge=2, description="The largest number of points of a `timeline`."
    )
    max_job_count: int = Field(
        1_000_000, ge=1, description="The largest number of jobs in one array."
    )
    max_processes: int = Field(
        1_000, ge=1, description="The largest number of processes in one task."
    )
    max_tasks_per_request: int = Field(
        100,
        ge=1,
        description="The largest number of tasks that one request may create, edit or delete.",
    )
    max_events_per_request: int = Field(
        1_000, ge=1, description="The largest number of events that one request may submit."
    )
    max_name_length: int = Field(
        200,
        ge=1,
        le=255,
        description="The largest number of characters in a name of a task, process, tag or user.",
    )
    max_text_length: int = Field(
        4_096,
        ge=1,
        description="The largest number of characters in a comment, e-mail address or host name.",
    )
    max_payload_bytes: int = Field(
        65_536, ge=0, description="The largest JSON payload of one event, in bytes."
    )
    max_config_bytes: int = Field(
        1_048_576,
        ge=0,
        description="The largest JSON config, or dependency graph, of one task, in bytes.",
    )
    max_request_bytes: int = Field(
        16_777_216, ge=1024, description="The largest body of one HTTP request, in bytes."
    )
    max_total_request_bytes: int = Field(
        268_435_456,
        ge=1024,
        description="The largest size in bytes of all requests that a server process is receiving"
        " or answering, and of the answers that clients have not read; beyond, it is BUSY for the"
        " largest.",
    )
    request_timeout: float = Field(
        20.0,
        gt=0,
        description="The time in seconds in which a client must send the headers of a request, and"
        " then its body; a body has a second more for each 16 KiB.",
    )
    max_document_characters: int = Field(
        20_000, ge=1_000, description="The largest number of characters in one GraphQL document."
    )
    max_document_tokens: int = Field(
        1_000,
        ge=200,
        le=20_000,
        description="The largest number of tokens in one GraphQL document.",
    )
    max_definitions: int = Field(
        50,
        ge=1,
        le=500,
        description="The largest number of operations and fragments in one GraphQL document.",
    )
    max_depth: int = Field(
        20,
        ge=1,
        le=50,
        description="The deepest nesting of the fields, or values, of an operation.",
    )
    max_aliases: int = Field(
        100, ge=0, description="The largest number of aliases in one GraphQL document."
    )
    max_duplicates: int = Field(
        100,
        ge=0,
        description="The largest number of fields in one GraphQL document that are selected again.",
    )
    max_directives: int = Field(
        50, ge=0, description="The largest number of directives in one GraphQL document."
    )
    max_cost: int = Field(
        125_000,
        ge=1,
        description="The largest number of values that the answer to an operation may have.",
    )
    max_response_bytes: int = Field(
        67_108_864,
        ge=1_048_576,
        description="The largest answer to an operation, or result of a subscription, in bytes.",
    )
    compiled_queries: bool = Field(
        True,
        description="Whether queries, and mutations that submit events, are compiled, which is"
        " faster; else they are resolved field by field.",
    )
    max_operation_time: float = Field(
        30.0,
        gt=0,
        description="The time in seconds after which the reads of an operation are stopped.",
    )
    max_read_time: float = Field(
        10.0,
        gt=0,
        description="The time in seconds after which one read of the database is stopped.",
    )
    max_waiting_events: int = Field(
        50_000,
        ge=1,
        description="The largest number of events that may wait for their commit; beyond, the"
        " server is BUSY.",
    )
    commit_batch: int = Field(
        1_000,
        ge=1,
        description="The number of events up to which requests are committed in one transaction.",
    )
    max_connections: int = Field(
        10_000,
        ge=2,
        description="The largest number of connections of any kind to one server process, of which"
        " one client address may have half; at most half of the files that the process may open.",
    )
    max_connections_per_address: int = Field(
        2_000,
        ge=1,
        description="The largest number of live connections, WebSocket and SSE, from one client"
        " address to one server process.",
    )
    max_subscriptions_per_connection: int = Field(
        256, ge=1, description="The largest number of concurrent operations on one WebSocket."
    )
    max_connection_bytes: int = Field(
        4_194_304,
        ge=1024,
        description="The largest size in bytes of all operations that run on one WebSocket, as its"
        " client has sent them.",
    )
    max_subscriptions_per_address: int = Field(
        4_000,
        ge=1,
        description="The largest number of concurrent operations on all WebSockets and event"
        " streams from one client address to one server process.",
    )
    max_message_bytes: int = Field(
        1_048_576, ge=1024, description="The largest message of a WebSocket client, in bytes."
    )
    max_waiting_changes: int = Field(
        10_000,
        ge=1,
        description="The largest number of events, or changed tasks, that may wait for a"
        " subscriber; beyond, it is TOO_SLOW.",
    )
    send_timeout: float = Field(
        30.0,
        gt=0,
        description="The time in seconds after which a client that does not read is disconnected.",
    )
    snapshot_interval: float = Field(
        0.25,
        gt=0,
        description="The shortest time in seconds between two snapshots of a task that changes.",
    )
    database_connections: int = Field(
        8,
        ge=1,
        le=200,
        description="The largest number of operations that read the database at once.",
    )
    database_timeout: float = Field(
        30.0,
        gt=0,
        description="The longest wait in seconds for a lock or a connection of the database, and"
        " for the end of a write.",
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
        """Add the file that ``LAMIA_CONFIG`` names, with lower precedence than the environment."""
        config = os.environ.get("LAMIA_CONFIG")
        if config is None:
            return init_settings, env_settings
        if not Path(config).is_file():
            raise FileNotFoundError(f"The settings file {config} does not exist.")
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(config))


def load(**overrides: Any) -> Settings:
    """The settings of this process. ``overrides`` come first; those of None are ignored.

    Raises ``pydantic.ValidationError`` for an invalid value, and ``FileNotFoundError`` for a file
    that does not exist.
    """
    return Settings(**{name: value for name, value in overrides.items() if value is not None})
