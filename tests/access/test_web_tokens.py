"""JSON Web Tokens of trusted issuers, and users that a proxy has signed in."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.support.credentials import bearer
from tests.support.harness import Server, StartServer, run_cli
from tests.support.live_clients import CHANGES, WebSocketClient
from tests.support.waiting import until

ISSUER, AUDIENCE = "https://idp.example.org", "lamia"
VIEWER = "{ viewer { name roles prefix } }"
RULES = [
    {"claim": "groups", "value": "/cms", "role": "read"},
    {"claim": "groups", "value": "/cms/ops", "role": "admin"},
    {"claim": "scope", "value": "lamia.submit", "role": "submit", "prefix": "cms-"},
]


class Issuer:
    """An issuer with keys of both kinds, whose public ones it publishes."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.add("rsa", rsa.generate_private_key(65537, 2048))
        self.add("ec", ec.generate_private_key(ec.SECP256R1()))

    def add(self, key_id: str, key: Any) -> None:
        """Sign with this key as well."""
        self.keys[key_id] = key

    def published(self) -> str:
        """The JSON Web Key Set."""
        found = []
        for key_id, key in self.keys.items():
            kind: Any = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
            found.append(json.loads(kind.to_jwk(key.public_key())) | {"kid": key_id})
        return json.dumps({"keys": found})

    def token(self, key_id: str = "rsa", **claims: Any) -> str:
        """A token of anna, valid for a minute; claims of None are left out."""
        given = {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "exp": time.time() + 60} | claims
        key = self.keys[key_id]
        return jwt.encode(
            {name: value for name, value in given.items() if value is not None},
            key,
            algorithm="RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256",
            headers={"kid": key_id},
        )


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    """An issuer."""
    return Issuer()


@contextmanager
def publishing(issuer: Issuer) -> Iterator[str]:
    """The address where an issuer publishes its keys."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(issuer.published().encode())

        def log_message(self, *_arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}/keys"
        serving.shutdown()


def settings(**source: str) -> dict[str, str]:
    """The settings of a server that trusts the issuer."""
    trusted = {"issuer": ISSUER, "audience": AUDIENCE} | source
    return {"token_issuers": json.dumps([trusted]), "role_rules": json.dumps(RULES)}


def viewer(server: Server, token: str) -> Any:
    """Who the bearer is; the status of the refusal."""
    answer = server.request(VIEWER, headers=bearer(token))
    return answer.json()["data"]["viewer"] if answer.status_code == 200 else answer.status_code


def test_claims_become_roles(
    issuer: Issuer, start_server: StartServer, sqlite_url: str, tmp_path: Path
) -> None:
    """What an issuer says of somebody decides what they may do; what it did not say, nothing."""
    file = tmp_path / "keys.json"
    file.write_text(issuer.published())
    server = start_server(sqlite_url, **settings(keys_file=str(file)))
    assert server.request(VIEWER).status_code == 401

    for key_id in ("rsa", "ec"):
        token = issuer.token(key_id, groups=["/cms"])
        assert viewer(server, token) == {"name": "anna", "roles": ["READ"], "prefix": None}
    service = issuer.token(sub="site-a", scope="openid lamia.submit", aud=["other", AUDIENCE])
    found = {"name": "site-a", "roles": ["SUBMIT"], "prefix": "cms-"}
    assert viewer(server, service) == found
    ops = issuer.token(groups=["/cms", "/cms/ops"])
    assert viewer(server, ops) == {"name": "anna", "roles": ["READ", "ADMIN"], "prefix": None}
    # Some count in milliseconds: that is beyond the year 9999.
    late = bearer(issuer.token(exp=1e15, groups=["/cms"]))
    answer = server.request("{ viewer { expiresAt } }", headers=late).json()
    assert answer["data"]["viewer"] == {"expiresAt": "9999-12-31T00:00:00+00:00"}
    # Who is known but has no role may do nothing.
    assert viewer(server, issuer.token(groups=["/atlas"])) == 403

    foreign = Issuer()
    now = time.time()
    refused = {
        "another key": foreign.token(groups=["/cms"]),
        "another audience": issuer.token(aud="other", groups=["/cms"]),
        "another issuer": issuer.token(iss="https://evil.example", groups=["/cms"]),
        "expired": issuer.token(exp=now - 60, groups=["/cms"]),
        "not yet": issuer.token(nbf=now + 300, groups=["/cms"]),
        "for ever": issuer.token(exp=None, groups=["/cms"]),
        "of nobody": issuer.token(sub=None, groups=["/cms"]),
        "unsigned": jwt.encode(
            {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "exp": now + 60, "groups": ["/cms"]},
            "",
            algorithm="none",
        ),
        "signed with the public key": jwt.encode(
            {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "exp": now + 60, "groups": ["/cms"]},
            issuer.published().encode().hex(),
            algorithm="HS256",
            headers={"kid": "rsa"},
        ),
        "cut": ops[:-8],
    }
    assert {name: viewer(server, token) for name, token in refused.items()} == dict.fromkeys(
        refused, 401
    )
    assert "Traceback" not in server.log()
    assert all(token not in server.log() for token in (ops, service, *refused.values()))


@pytest.mark.slow
def test_keys_are_rotated(issuer: Issuer, start_server: StartServer, sqlite_url: str) -> None:
    """A new key is found as soon as it is used; while the issuer is away, known ones are good."""
    with publishing(issuer) as url:
        server = start_server(sqlite_url, **settings(keys_url=url))
        assert viewer(server, issuer.token(groups=["/cms"]))["name"] == "anna"
        issuer.add("new", ec.generate_private_key(ec.SECP256R1()))
        token = issuer.token("new", exp=time.time() + 120, groups=["/cms"])
        until(lambda: viewer(server, token) != 401, lambda: "the new key is not found", 60)
    assert viewer(server, issuer.token(groups=["/cms"]))["name"] == "anna"


def test_an_issuer_that_is_away(issuer: Issuer, start_server: StartServer, sqlite_url: str) -> None:
    """The server starts; it is said in the log, and no token is valid."""
    server = start_server(sqlite_url, **settings(keys_url="http://127.0.0.1:9/keys"))
    assert viewer(server, issuer.token(groups=["/cms"])) == 401
    assert f"the keys of {ISSUER} can't be read" in server.log()


async def test_a_connection_ends_with_its_token(
    issuer: Issuer, start_server: StartServer, sqlite_url: str, tmp_path: Path
) -> None:
    """Also one whose token nobody can revoke."""
    file = tmp_path / "keys.json"
    file.write_text(issuer.published())
    server = start_server(sqlite_url, **settings(keys_file=str(file)))
    token = issuer.token(groups=["/cms/ops"], exp=time.time() + 3)
    async with WebSocketClient(server.url, greet=False) as ws:
        await ws.send({"type": "connection_init", "payload": bearer(token)})
        assert await ws.receive() == {"type": "connection_ack"}
        await ws.subscribe("1", CHANGES)
        assert (await ws.closed())[0] == 4403


def test_users_of_a_proxy(start_server: StartServer, sqlite_url: str) -> None:
    """A trusted proxy says who has signed in; nobody else can say so."""
    rules = [
        {"claim": "user", "value": "*", "role": "read"},
        {"claim": "groups", "value": "ops", "role": "admin"},
    ]
    given = {
        "proxy_user_header": "X-Forwarded-User",
        "proxy_groups_header": "X-Forwarded-Groups",
        "role_rules": json.dumps(rules),
    }
    server = start_server(sqlite_url, trusted_proxies="127.0.0.1", **given)

    def ask(found: Server, **headers: str) -> Any:
        answer = found.request(VIEWER, headers={k.replace("_", "-"): v for k, v in headers.items()})
        return answer.json()["data"]["viewer"] if answer.status_code == 200 else answer.status_code

    assert ask(server) == 401
    anna = ask(server, x_forwarded_user="anna", x_forwarded_for="10.1.2.3")
    assert anna == {"name": "anna", "roles": ["READ"], "prefix": None}
    ops = ask(server, x_forwarded_user="otto", x_forwarded_groups="users, ops")
    assert ops["roles"] == ["READ", "ADMIN"]
    other = start_server(
        sqlite_url.replace("lamia.", "other."), trusted_proxies="10.0.0.1", **given
    )
    assert ask(other, x_forwarded_user="anna", x_forwarded_for="10.0.0.1") == 401


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"proxy_user_header": "X-User"}, "needs trusted_proxies"),
        ({"token_issuers": '[{"issuer": "a", "audience": "b"}]'}, "needs keys_url or keys_file"),
        ({"role_rules": '[{"claim": "a", "value": "b", "role": "king"}]'}, "role_rules.0.role"),
        ({"role_rules": "nonsense"}, "LAMIA_ROLE_RULES is not valid JSON"),
    ],
)
def test_wrong_settings(sqlite_url: str, given: dict[str, str], told: str) -> None:
    """One sentence says what is wrong."""
    done = run_cli("serve", database_url=sqlite_url, **given)
    assert done.returncode == 2
    assert told in done.stderr
    assert "pydantic" not in done.stderr
    assert done.stderr.count("\n") == 1
