"""Unknown and invalid settings, as sentences for the operator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from lamia_gql.domain.settings import ENV_PREFIX, Settings

if TYPE_CHECKING:
    from pydantic import ValidationError

OTHER_VARIABLES = frozenset(
    f"{ENV_PREFIX}{name}"
    for name in (
        "CONFIG",
        # Of lamia-job, and of the commands that are clients of a server.
        *("ATTEMPT", "INDEX", "PROCESS", "RANK", "SPOOL", "TASK", "TOKEN", "TOKEN_FILE", "URL"),
    )
)
"""Variables that are not settings of the server; scripts export them for commands and jobs."""
REQUIREMENTS = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "enum": "must be {expected}",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "int_type": "must be a whole number",
    "ip_any_network": "must be IP addresses or networks, such as 10.0.0.0/8",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "string_type": "must be a text",
    "string_too_short": "must not be empty",
    "too_long": "must have at most {max_length} entries",
}
"""What a value must be, by pydantic's types of errors."""
SECRETS = frozenset(
    {
        *("secret_keys", "smtp_url"),
        *("notify_webhook_secret", "notify_webhook_urls", "notify_apprise_urls"),
    }
)
"""Settings whose values are not shown, because they may have a password."""
MAX_SHOWN = 80
"""How many characters of a value are shown."""


class UnknownSettingError(ValueError):
    """A variable of the environment looks like a setting, and is none."""


def check_variables(environ: Mapping[str, str]) -> None:
    """Raise :class:`UnknownSettingError` if a variable ``LAMIA_…`` has no meaning."""
    known = OTHER_VARIABLES | {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields}
    unknown = sorted(
        name
        for name in environ
        # As for settings, case does not matter.
        if name.upper().startswith(ENV_PREFIX) and name.upper() not in known
    )
    if unknown:
        raise UnknownSettingError(f"{'; '.join(_unknown(name, known) for name in unknown)}.")


def describe(error: ValidationError) -> str:
    """What is wrong with the settings."""
    return f"Invalid settings: {'; '.join(_problem(dict(one)) for one in error.errors())}."


def _unknown(name: str, known: Iterable[str]) -> str:
    similar = get_close_matches(name, known, 1) or get_close_matches(name.upper(), known, 1)
    hint = f"did you mean {similar[0]}?" if similar else "see docs/settings.md"
    return f"{name} is not a setting ({hint})"


def _problem(error: dict[str, Any]) -> str:
    if not error["loc"]:
        return str(error["ctx"]["error"])
    name = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        return _unknown(name, Settings.model_fields)
    path = ".".join(map(str, error["loc"]))
    value = "this" if name in SECRETS else repr(error["input"])
    if len(value) > MAX_SHOWN:
        value = f"{value[:MAX_SHOWN]}…"
    if error["type"] == "value_error":
        return f"{path} can't be {value}: {error['ctx']['error']}"
    requirement = REQUIREMENTS.get(error["type"])
    if requirement is None:
        return f"{path} can't be {value}"
    return f"{path} {requirement.format_map(error.get('ctx', {}))}, not {value}"
