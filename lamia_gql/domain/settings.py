"""The settings of the server: one flat list, with the same names in every source.

The value of a setting is the first found of: the command line, the environment (``LAMIA_`` and its
name in capitals), a TOML file (``--config``, or ``LAMIA_CONFIG``), its default. Sizes are in bytes,
times in seconds.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, IPvAnyNetwork, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from lamia_gql.domain.access_settings import AccessSettings
from lamia_gql.domain.limits import Limits
from lamia_gql.domain.notification_settings import NotificationSettings
from lamia_gql.domain.retention_settings import RetentionSettings
from lamia_gql.domain.setting_types import SPLIT, SPLIT_ADDRESSES, HostName, Origin, Timeout

ENV_PREFIX = "LAMIA_"
"""What the names of settings begin with in the environment."""


class SettingsFileError(ValueError):
    """The settings file can't be read; a sentence for the operator."""


class Settings(Limits, AccessSettings, NotificationSettings, RetentionSettings):
    """The settings of one server. A name that does not exist is refused, so that typos show."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True)

    database_url: str = Field(
        "sqlite:///lamia.sqlite",
        description="The database: sqlite:///FILE, or postgresql://USER:PASSWORD@HOST/NAME.",
    )
    listen_database_url: str | None = Field(
        None,
        description="The address of the same PostgreSQL itself, where database_url is that of a"
        " pooler such as PgBouncer, in transaction mode: LISTEN and migrations need it.",
    )
    read_database_url: Annotated[list[str], NoDecode, SPLIT_ADDRESSES] = Field(
        [],
        description="Replicas of a PostgreSQL, separated by spaces: queries are read from them.",
    )
    max_replica_lag: float = Field(
        10.0,
        ge=2,
        allow_inf_nan=False,
        description="A replica that is further behind, in seconds, is not read.",
    )
    host: str = Field("127.0.0.1", min_length=1, description="The address to listen on.")
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
        " a client, and X-Forwarded-Prefix the path below which they serve.",
    )
    workers: int = Field(
        1,
        ge=1,
        le=256,
        description="The number of server processes; more than one requires PostgreSQL.",
    )
    drain_time: float = Field(
        0.0,
        ge=0,
        le=600,
        description="How long in seconds a server that is told to stop is not ready, but still"
        " accepts connections, so that load balancers turn to others.",
    )
    log_level: Literal["critical", "error", "warning", "info", "debug"] = Field(
        "info",
        description="The lowest level to log: critical, error, warning, info or debug.",
    )
    log_format: Literal["text", "json"] = Field(
        "text",
        description="The form of the lines of the log: text, for people; or json, for programs.",
    )
    beat_interval: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="The beat interval in seconds of processes that have none of their own.",
    )
    compiled_queries: bool = Field(
        True,
        description="Whether queries, and mutations that submit events, are compiled, which is"
        " faster; else they are resolved field by field.",
    )
    database_connections: int = Field(
        8,
        ge=1,
        le=200,
        description="The largest number of operations that read the database at once.",
    )
    database_timeout: Timeout = Field(
        30.0,
        description="The longest wait in seconds for a lock or a connection of the database, and"
        " for the end of a write.",
    )

    @model_validator(mode="after")
    def _check_proxies(self) -> Self:
        if self.proxy_groups_header is not None and self.proxy_user_header is None:
            raise ValueError("proxy_groups_header needs proxy_user_header")
        if self.proxy_user_header is not None and not self.trusted_proxies:
            raise ValueError("proxy_user_header needs trusted_proxies: else anybody could send it")
        return self

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
        config = os.environ.get(f"{ENV_PREFIX}CONFIG")
        if config is None:
            return init_settings, env_settings
        return init_settings, env_settings, _read(settings_cls, Path(config))


def _read(settings_cls: type[BaseSettings], path: Path) -> TomlConfigSettingsSource:
    if not path.is_file():
        problem = "is not a file" if path.exists() else "does not exist"
        raise SettingsFileError(f"The settings file {path} {problem}.")
    try:
        return TomlConfigSettingsSource(settings_cls, path)
    except OSError as error:
        raise SettingsFileError(
            f"The settings file {path} can't be read: {error.strerror}."
        ) from error
    except ValueError as error:
        raise SettingsFileError(f"The settings file {path} is not valid TOML: {error}.") from error


def load(**overrides: Any) -> Settings:
    """The settings of this process. ``overrides`` come first; those of None are ignored.

    Raises ``pydantic.ValidationError`` for an invalid value, and :class:`SettingsFileError`, also
    for a variable that must be JSON and is not.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except SettingsError as error:
        found = re.search(r'field "(\w+)"', str(error))
        name = f"{ENV_PREFIX}{found[1].upper()}" if found else "A variable"
        raise SettingsFileError(f"{name} is not valid JSON.") from error
