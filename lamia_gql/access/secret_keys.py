"""The keys that sign job tokens and sessions, and the form of what they sign.

A signed text is ``KIND.KEY_ID.PAYLOAD.MAC``: the payload is JSON, the MAC is HMAC-SHA256 of all
that stands before it, both in base64url. It is verified without a look-up.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.settings import Settings
from lamia_gql.storage.database_url import parse_url

log = logging.getLogger(__name__)

MIN_KEY_CHARACTERS = 32
MAX_SIGNED_CHARACTERS = 2_048
"""A longer text is none of ours."""
KEY_FILE_SUFFIX = ".key"
"""What follows the name of a SQLite file in the name of the file of its keys."""


class UnusableKeys(ValueError):  # noqa: N818  (named after the condition)
    """The secret keys can't be read or are too short; a sentence for the operator."""


class SecretKeys:
    """The keys of this server; the first one signs, all of them verify.

    Args:
        keys: secrets of at least :data:`MIN_KEY_CHARACTERS` characters; or none, and then nothing
            can be signed.

    Raises :class:`UnusableKeys` for one that is too short.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if any(len(key) < MIN_KEY_CHARACTERS for key in keys):
            raise UnusableKeys(
                f"A secret key needs at least {MIN_KEY_CHARACTERS} characters. Make one with:"
                " openssl rand -base64 48"
            )
        self._keys = {_key_id(key): key.encode() for key in keys}

    def require(self) -> None:
        """Raise :class:`UserError` with NO_SECRET_KEY if there is no key."""
        if not self._keys:
            raise UserError(
                ErrorCode.NO_SECRET_KEY,
                "The server has no key to sign with. On PostgreSQL, the operator must set"
                " LAMIA_SECRET_KEYS or LAMIA_SECRET_FILE, the same on all servers.",
            )

    def sign(self, kind: str, payload: dict[str, Any]) -> str:
        """The signed text. Raises :class:`UserError` with NO_SECRET_KEY if there is no key."""
        self.require()
        key_id, key = next(iter(self._keys.items()))
        text = f"{kind}.{key_id}.{_encode(orjson.dumps(payload))}"
        return f"{text}.{_encode(_mac(key, text))}"

    def verify(self, kind: str, signed: str) -> dict[str, Any] | None:
        """The payload of a text of this kind that one of the keys has signed; else None."""
        if len(signed) > MAX_SIGNED_CHARACTERS or not signed.isascii():
            return None
        text, _, mac = signed.rpartition(".")
        parts = text.split(".")
        if len(parts) != 3 or parts[0] != kind:
            return None
        key = self._keys.get(parts[1])
        if key is None or not hmac.compare_digest(_encode(_mac(key, text)), mac):
            return None
        payload: dict[str, Any] = orjson.loads(_decode(parts[2]))
        return payload


def load_keys(settings: Settings) -> SecretKeys:
    """The keys of the settings; else those of the file beside the SQLite file, which is made.

    Raises :class:`UnusableKeys`.
    """
    if settings.secret_keys:
        return SecretKeys([key.get_secret_value() for key in settings.secret_keys])
    if settings.secret_file is not None:
        return SecretKeys(_read_file(settings.secret_file))
    url = parse_url(settings.database_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        return SecretKeys([])
    path = Path(url.database + KEY_FILE_SUFFIX)
    try:
        _make_file(path)
    except OSError as error:
        raise UnusableKeys(
            f"The file of secret keys {path} can't be made: {error.strerror}."
        ) from error
    return SecretKeys(_read_file(path))


def _read_file(path: Path) -> list[str]:
    try:
        text = path.read_text()
        mode = path.stat().st_mode
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UnusableKeys(f"The file of secret keys {path} can't be read: {reason}.") from error
    if mode & stat.S_IROTH:
        log.warning("the file of secret keys %s can be read by everybody: chmod 600", path)
    keys = text.split()
    if not keys:
        raise UnusableKeys(f"The file of secret keys {path} is empty.")
    return keys


def _make_file(path: Path) -> None:
    """Make the file with a new key, unless it is there already: whole, whoever else does so."""
    if path.exists():
        return
    made = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with open(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
    try:
        os.link(made, path)
    except FileExistsError:
        pass
    finally:
        made.unlink()


def _key_id(key: str) -> str:
    return hashlib.sha256(b"lamia key id " + key.encode()).hexdigest()[:8]


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
