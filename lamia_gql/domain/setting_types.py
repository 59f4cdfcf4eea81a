"""The types of settings that are more than numbers and words, with the checks of their values."""

from __future__ import annotations

import base64
import binascii
import re
from importlib.util import find_spec
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from lamia_gql.domain.notifications import is_mail_address

WEBHOOK_SECRET_BYTES = range(24, 65)
"""The sizes of a key by the specification of Standard Webhooks."""

Timeout = Annotated[float, Field(ge=0.001, le=2_000_000)]
"""A time in seconds that others take as milliseconds in 32 bits, of which 0 means none."""


def _split(value: Any) -> Any:
    """Lists in the environment are separated by commas."""
    if not isinstance(value, str):
        return value
    return [entry.strip() for entry in value.split(",") if entry.strip()]


def _split_addresses(value: Any) -> Any:
    """An address may have commas itself, between several hosts."""
    if not isinstance(value, str):
        return value
    found = value.strip(", \t\n")
    return re.split(r"[,\s]+(?=\w+(?:\+\w+)?://)", found) if found else []


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


def _check_server_url(text: str) -> str:
    url = text.strip().rstrip("/")
    if not _is_url(url, "http", "https"):
        raise ValueError("the address of a server begins with http:// or https://, and has a host")
    # As for LAMIA_URL, it may be that of the endpoint.
    return url.removesuffix("/graphql")


def _check_smtp_url(url: str) -> str:
    found = urlsplit(url)
    if not _is_url(url, "smtp", "smtps") or found.path.strip("/"):
        raise ValueError("a mail server is smtp:// or smtps://, perhaps USER:PASSWORD@, and a host")
    if (found.username is None) != (found.password is None):
        raise ValueError("a mail server needs a user and a password, or neither")
    return url


def _check_mail_address(address: str) -> str:
    if not is_mail_address(address):
        raise ValueError("an e-mail address is plain, as in lamia@example.org")
    return address


def _check_webhook_url(url: str) -> str:
    if not _is_url(url, "http", "https"):
        raise ValueError("a webhook's address begins with http:// or https://, and has a host")
    return url


def _check_webhook_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    try:
        size = len(base64.b64decode(text.removeprefix("whsec_"), validate=True))
    except binascii.Error:
        size = 0
    if not text.startswith("whsec_") or size not in WEBHOOK_SECRET_BYTES:
        raise ValueError(
            "it is whsec_ and 24 to 64 bytes in base64: echo whsec_$(openssl rand -base64 32)"
        )
    return secret


def _check_apprise_url(url: str) -> str:
    if find_spec("apprise") is None:
        raise ValueError("Apprise is not installed: pip install 'lamia-gql[apprise]'")
    if not re.match(r"[a-z][a-z0-9+.-]*://", url, re.IGNORECASE):
        raise ValueError("an address of Apprise begins with its scheme, as in mailto://")
    return url


def _is_url(url: str, *schemes: str) -> bool:
    """Whether it is an address of one of the schemes, with a host and a possible port."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        found = urlsplit(url)
        return found.scheme in schemes and bool(found.hostname) and found.port != 0
    except ValueError:
        return False


def _check_header_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+", name):
        raise ValueError("the name of a header has letters, digits and hyphens")
    return name.lower()


SPLIT = BeforeValidator(_split)
SPLIT_ADDRESSES = BeforeValidator(_split_addresses)
HostName = Annotated[str, AfterValidator(_check_host_name)]
Origin = Annotated[str, AfterValidator(_check_origin)]
HeaderName = Annotated[str, AfterValidator(_check_header_name)]
ServerUrl = Annotated[str, AfterValidator(_check_server_url)]
SmtpUrl = Annotated[str, AfterValidator(_check_smtp_url)]
MailAddress = Annotated[str, AfterValidator(_check_mail_address)]
WebhookUrl = Annotated[str, AfterValidator(_check_webhook_url)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_check_webhook_secret)]
AppriseUrl = Annotated[str, AfterValidator(_check_apprise_url)]
