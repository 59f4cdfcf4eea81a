"""Settings of notifications that can't work are refused at the start, without their secrets."""

from __future__ import annotations

import pytest

from tests.support.harness import run_cli
from tests.support.webhook_receiver import SECRET

HOOK = "https://hooks.example.org/geheim"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"notify_webhook_urls": HOOK},
            "notify_webhook_urls needs notify_webhook_secret, to sign requests",
        ),
        (
            {"notify_webhook_urls": HOOK, "notify_webhook_secret": "whsec_geheim"},
            "notify_webhook_secret can't be this: it is whsec_ and 24 to 64 bytes in base64: echo"
            " whsec_$(openssl rand -base64 32)",
        ),
        (
            {"notify_webhook_urls": "ftp://geheim/", "notify_webhook_secret": SECRET},
            "notify_webhook_urls.0 can't be this: a webhook's address begins with http:// or"
            " https://, and has a host",
        ),
        (
            {"notify_webhook_urls": ",".join([HOOK] * 21), "notify_webhook_secret": SECRET},
            "notify_webhook_urls must have at most 20 entries, not this",
        ),
        (
            {"smtp_url": "mail.example.org/geheim"},
            "smtp_url can't be this: a mail server is smtp:// or smtps://, perhaps USER:PASSWORD@,"
            " and a host",
        ),
        (
            {"smtp_url": "smtp://geheim@mail.example.org"},
            "smtp_url can't be this: a mail server needs a user and a password, or neither",
        ),
        (
            {"notify_from": "Lamia <lamia@example.org>"},
            "notify_from can't be 'Lamia <lamia@example.org>': an e-mail address is plain, as in"
            " lamia@example.org",
        ),
        (
            {"notify_on": "FAILED,DONE"},
            "notify_on.1 must be 'SUCCEEDED', 'FAILED', 'CANNOT_SUCCEED' or 'SILENT', not 'DONE'",
        ),
        (
            {"notify_apprise_urls": "geheim"},
            "notify_apprise_urls.0 can't be this: an address of Apprise begins with its scheme, as"
            " in mailto://",
        ),
        (
            {"public_url": "monitor.example.org"},
            "public_url can't be 'monitor.example.org': the address of a server begins with http://"
            " or https://, and has a host",
        ),
    ],
)
def test_what_is_wrong_is_said(settings: dict[str, str], sentence: str) -> None:
    """In one sentence, with exit code 2."""
    done = run_cli("serve", "--port", "0", **settings)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"Invalid settings: {sentence}.\n"
