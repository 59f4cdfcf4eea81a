"""The settings of credentials, a part of :class:`lamia_gql.domain.settings.Settings`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode

from lamia_gql.domain.access import Role
from lamia_gql.domain.setting_types import SPLIT, HeaderName, ServerUrl

Algorithm = Literal["RS256", "ES256"]
EVERYBODY = "*"
"""The value of a rule that every value of the claim matches."""


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


class TokenIssuer(BaseModel):
    """Who issues JSON Web Tokens that the server trusts: an OpenID provider, or a WLCG issuer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str
    """The claim ``iss``, exactly."""
    audience: str
    """What the claim ``aud`` must contain."""
    keys_url: ServerUrl | None = None
    """The address of its public keys, a JSON Web Key Set."""
    keys_file: Path | None = None
    """A file with them, instead."""
    subject_claim: str = "sub"
    """The claim with the name of the bearer."""
    algorithms: tuple[Algorithm, ...] = ("RS256", "ES256")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.keys_url is None) == (self.keys_file is None):
            raise ValueError("an issuer needs keys_url or keys_file, and not both")
        if find_spec("jwt") is None:
            raise ValueError("PyJWT is not installed: pip install 'lamia-gql[jwt]'")
        return self


class RoleRule(BaseModel):
    """Whoever has the value in the claim gets the role."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    claim: str
    """The name of a claim: a text of words, like ``scope``, or a list, like ``groups``."""
    value: str
    """One of its words or entries; ``*`` for any."""
    role: Annotated[Role, BeforeValidator(_upper)]
    prefix: str = ""
    """What the names of tasks begin with that may be created, changed or reported on."""


class AccessSettings(BaseSettings):
    """Who may use the server, and how they say who they are."""

    insecure: bool = Field(
        False,
        description="Whether whoever reaches the server may do everything, on any address and"
        " whatever credentials there are.",
    )
    anonymous_read: bool = Field(
        False,
        description="Whether everybody may read all tasks without a credential.",
    )
    introspection: bool = Field(
        True,
        description="Whether clients may ask for the GraphQL schema, which GraphiQL needs, and get"
        " suggestions for misspelled names.",
    )
    persisted_documents: Path | None = Field(
        None,
        description="A folder of GraphQL documents, files *.graphql: then only these are executed,"
        " and those that the dashboard and the commands send. By default, all are.",
    )
    secret_keys: Annotated[list[SecretStr], NoDecode, SPLIT] = Field(
        [],
        description="Secrets of at least 32 characters that sign job tokens and sessions: the first"
        " signs, all verify. By default those of `secret_file`.",
    )
    secret_file: Path | None = Field(
        None,
        description="A file with secret keys, one a line. By default, one is made beside the SQLite"
        " file; on PostgreSQL there is no default.",
    )
    session_time: float = Field(
        43_200.0,
        gt=0,
        allow_inf_nan=False,
        description="The time in seconds after which a page asks its user to sign in again.",
    )
    token_issuers: list[TokenIssuer] = Field(
        [],
        max_length=20,
        description="Issuers of JSON Web Tokens that are trusted, as objects: see the page on"
        " security.",
    )
    role_rules: list[RoleRule] = Field(
        [],
        max_length=1_000,
        description="Which claims of such a token, or groups of a proxy, give which roles, as"
        " objects: see the page on security.",
    )
    proxy_user_header: HeaderName | None = Field(
        None,
        description="The header by which trusted proxies tell who has signed in, such as"
        " X-Forwarded-User.",
    )
    proxy_groups_header: HeaderName | None = Field(
        None,
        description="The header by which they tell the groups of the user, separated by commas.",
    )
