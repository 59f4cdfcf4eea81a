"""A job with its token: from the task's creation to the last event, and to the revocation."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from lamia_gql.domain.access import Role
from tests.api.test_task_commands import run
from tests.support.credentials import SECRET, Credentials, bearer
from tests.support.harness import CREATE_TASK, Server, StartServer, rest_errors, run_cli

ISSUE = """mutation($input: IssueTaskTokenInput!) { issueTaskToken(input: $input) {
  token userErrors { code field } } }"""
CREATE_ACCESS_TOKEN = """mutation($expiresAt: DateTime!) {
  createAccessToken(input: {name: "late", roles: [READ], expiresAt: $expiresAt}) {
    token userErrors { code field } } }"""
REVOKE = """mutation($input: RevokeTaskTokensInput!) { revokeTaskTokens(input: $input) {
  task { name } userErrors { code } } }"""


def emit(
    server: Server, spool: Path, token: str, event_class: str
) -> subprocess.CompletedProcess[str]:
    """Run `lamia-job emit`, with a token, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "lamia_gql.client", "emit", event_class],
        env=os.environ
        | {
            "LAMIA_URL": server.url,
            "LAMIA_TASK": "night",
            "LAMIA_PROCESS": "p",
            "LAMIA_INDEX": "none",
            "LAMIA_TOKEN": token,
            "LAMIA_SPOOL": str(spool),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_from_submission_to_revocation(
    start_server: StartServer, sqlite_url: str, tmp_path: Path
) -> None:
    """`submit` makes a token for the jobs; once it is revoked, they lose nothing."""
    credentials = Credentials(sqlite_url)
    anna = credentials.token("anna", Role.SUBMIT)
    # The keys are those of the file that the server makes beside the database.
    server = start_server(sqlite_url)

    # Anna submits.
    made = subprocess.run(
        [
            *(sys.executable, "-m", "lamia_gql", "submit"),
            *("--name", "night", "--solitary", "p", "--url", server.url),
        ],
        env=os.environ | {"LAMIA_TOKEN": anna, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    file = tmp_path / ".lamia-tokens" / "night"
    assert f"export LAMIA_TOKEN_FILE={file}\n" in made.stdout
    assert "unset LAMIA_TOKEN\n" in made.stdout
    assert file.stat().st_mode & 0o777 == 0o600
    token = file.read_text().strip()
    assert token.startswith("lamia_j1.")
    assert token not in made.stdout + made.stderr
    # A name that is too long for a file.
    made = subprocess.run(
        [sys.executable, "-m", "lamia_gql", "submit", "--name", "ü" * 200, "--solitary", "p"],
        env=os.environ | {"LAMIA_TOKEN": anna, "HOME": str(tmp_path), "LAMIA_URL": server.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    long = Path(shlex.split(made.stdout.splitlines()[-1])[1].partition("=")[2])
    assert long.read_text().startswith("lamia_j1.")

    # The job reports, and does nothing else.
    spool = tmp_path / "spool"
    assert emit(server, spool, token, "STARTED").returncode == 0
    state = 'query { task(name: "night") { state owner } }'
    answer = server.request(state, headers=bearer(anna)).json()
    assert answer["data"] == {"task": {"state": "RUNNING", "owner": "anna"}}
    assert server.request(state, headers=bearer(token)).status_code == 403

    # Her commands say which token it is that the server does not take.
    own = tmp_path / ".lamia-token"
    home = {"HOME": str(tmp_path), "LAMIA_TOKEN_FILE": None}
    done = run(server, "tasks", env=home)
    assert done.stderr == (
        f"{server.url} needs a token: set LAMIA_TOKEN, or write it to ~/.lamia-token.\n"
    )
    for contents, environ, origin in (
        ("", {"LAMIA_TOKEN_FILE": str(file)}, f"LAMIA_TOKEN_FILE {file}"),
        ("lamia_a1_wrong", {}, "~/.lamia-token"),
        (anna, {"LAMIA_TOKEN": "wrong"}, "LAMIA_TOKEN"),
        ("naïve", {}, "~/.lamia-token"),
    ):
        own.write_text(contents)
        done = run(server, "tasks", env=home | environ)
        assert (done.exit_code, done.stdout) == (1, "")
        assert re.search(rf"[Tt]he token (is that )?in {origin}[. ]", done.stderr), done.stderr
        assert not any(secret in done.stderr for secret in (anna, token))
    own.write_text(anna)
    assert run(server, "tasks", env=home | {"LAMIA_TOKEN_FILE": str(file)}).exit_code == 0

    # Anna revokes: what the job sends waits in its spool.
    revoked = server.request(REVOKE, {"input": {"task": "night"}}, headers=bearer(anna)).json()
    assert revoked["data"]["revokeTaskTokens"] == {"task": {"name": "night"}, "userErrors": []}
    ended = emit(server, spool, token, "DONE")
    assert ended.returncode == 0
    assert token not in ended.stderr
    assert all(token not in path.read_text() for path in spool.rglob("*") if path.is_file())

    # With a new token it arrives.
    issued = server.request(ISSUE, {"input": {"task": "night"}}, headers=bearer(anna)).json()
    renewed = issued["data"]["issueTaskToken"]["token"]
    flushed = subprocess.run(
        [sys.executable, "-m", "lamia_gql.client", "flush"],
        env=os.environ
        | {"LAMIA_URL": server.url, "LAMIA_TOKEN": renewed, "LAMIA_SPOOL": str(spool)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert flushed.returncode == 0, flushed.stderr
    answer = server.request(state, headers=bearer(anna)).json()
    assert answer["data"]["task"]["state"] == "SUCCEEDED"
    assert all(secret not in server.log() for secret in (anna, token, renewed))
    credentials.close()


def test_events_of_other_tasks_in_one_request(start_server: StartServer, sqlite_url: str) -> None:
    """One forbidden event does not cost the others."""
    credentials = Credentials(sqlite_url)
    grant = credentials.add_task("t")
    credentials.add_task("u")
    credentials.token("admin", Role.ADMIN)
    server = start_server(sqlite_url, secret_keys=SECRET)
    events = [{"task": task, "process": "p", "eventClass": "BEAT"} for task in ("t", "u", "v")]
    answer = server.rest("POST", "/events", events, headers=bearer(credentials.job_token(grant)))
    codes = [
        entry.get("errors", [{"details": {"code": None}}])[0]["details"]["code"]
        for entry in answer.json()
    ]
    assert codes == [None, "FORBIDDEN", "TASK_NOT_FOUND"]
    credentials.close()


def test_issuing(start_server: StartServer, sqlite_url: str) -> None:
    """Tokens for one process, with an end, and what is wrong with the input."""
    credentials = Credentials(sqlite_url)
    credentials.add_task("t")
    admin = credentials.token("admin", Role.ADMIN)
    server = start_server(sqlite_url, secret_keys=SECRET)

    def issue(**given: Any) -> Any:
        answer = server.request(ISSUE, {"input": given}, headers=bearer(admin)).json()
        return answer["data"]["issueTaskToken"]

    assert issue(task="t", process="q", expiresAt="2100-01-01T00:00:00Z")["userErrors"] == []
    for given, code, field in (
        ({"task": "nobody"}, "TASK_NOT_FOUND", "task"),
        ({"task": "t", "process": "r"}, "PROCESS_NOT_FOUND", "process"),
        ({"task": "t", "expiresAt": "2000-01-01T00:00:00Z"}, "TIME_INVALID", "expiresAt"),
        ({"task": "t", "expiresAt": "9999-12-31T23:00:00-02:00"}, "TIME_INVALID", "expiresAt"),
    ):
        assert issue(**given) == {"token": None, "userErrors": [{"code": code, "field": field}]}
    late = server.request(
        CREATE_ACCESS_TOKEN, {"expiresAt": "9999-12-31T23:00:00-02:00"}, headers=bearer(admin)
    ).json()
    assert late["data"]["createAccessToken"] == {
        "token": None,
        "userErrors": [{"code": "TIME_INVALID", "field": "expiresAt"}],
    }
    credentials.close()


def test_issued_by_rest(start_server: StartServer, sqlite_url: str) -> None:
    """A token comes with a new task if that is asked for; it is for this task only."""
    credentials = Credentials(sqlite_url)
    owner = bearer(credentials.token("anna", Role.SUBMIT))
    server = start_server(sqlite_url)
    processes = {"processes": {"p": None}}

    def create(path: str, body: Any, status: int = 201) -> Any:
        answer = server.rest("POST", path, body, headers=owner)
        assert answer.status_code == status, answer.text
        return answer.json()

    made = create("/t", processes | {"issueToken": True})
    assert list(made) == ["created", "token"]
    for asked in ({}, {"issueToken": False}, {"issueToken": None}):
        task: dict[str, Any] = processes | asked
        assert create(f"/u{len(asked)}{asked.get('issueToken')}", task) == {"created": True}
    several = [{"name": name, **processes, "issueToken": name != "w"} for name in ("v", "w", "x")]
    many = create("", several)
    assert list(many) == ["created", "tokens"]
    assert many["tokens"][1] is None
    assert create("", [{"name": "y", **processes}]) == {"created": True}

    tokens = {"t": made["token"], "v": many["tokens"][0], "x": many["tokens"][2]}
    for task_of_token, token in tokens.items():
        for name in ("t", "v", "w", "x"):
            event = {"eventClass": "BEAT"}
            answer = server.rest("POST", f"/{name}/p/event", event, headers=bearer(token))
            assert answer.status_code == (201 if name == task_of_token else 403), answer.text
    for path, body, field in (
        ("/z", processes | {"issueToken": "yes"}, "issueToken"),
        ("", [{"name": "z", **processes, "issueToken": 1}], "tasks.0.issueToken"),
    ):
        refused = create(path, body, 400)
        assert refused["errors"][0]["details"] == {"code": "ARGUMENT_INVALID", "field": field}
        assert refused["created"] is False
    assert "token" not in str(create("/t", processes | {"issueToken": True}, 409))
    assert server.rest("GET", "/z", headers=owner).status_code == 404
    assert not any(token in server.log() for token in tokens.values())
    credentials.close()


def test_postgresql_needs_a_key(start_server: StartServer, postgres_url: str) -> None:
    """Without a key, nothing is created that would lack its token; servers with one key agree."""
    credentials = Credentials(postgres_url)
    admin = credentials.token("admin", Role.ADMIN)
    without = start_server(postgres_url)
    task = {"name": "t", "processes": [{"name": "p"}], "issueToken": True}
    create = CREATE_TASK.replace("task { id name state }", "token")
    answer = without.request(create, {"input": task}, headers=bearer(admin)).json()
    [error] = answer["data"]["createTask"]["userErrors"]
    assert error["code"] == "NO_SECRET_KEY"
    assert "LAMIA_SECRET_KEYS" in error["message"]
    for path, body in (("/t", task), ("", [task])):
        refused = without.rest("POST", path, body, headers=bearer(admin))
        assert (refused.status_code, rest_errors(refused)) == (400, [("NO_SECRET_KEY", None)])
    other = "fedcba9876543210fedcba9876543210"
    one = start_server(postgres_url, secret_keys=SECRET)
    two = start_server(postgres_url, secret_keys=f"{other},{SECRET}")
    answer = one.request(create, {"input": task}, headers=bearer(admin)).json()
    token = answer["data"]["createTask"]["token"]
    event = {"eventClass": "STARTED"}
    assert two.rest("POST", "/t/p/event", event, headers=bearer(token)).status_code == 201
    assert without.rest("POST", "/t/p/event", event, headers=bearer(token)).status_code == 401
    credentials.close()


def test_weak_and_unreadable_keys_end_the_start(sqlite_url: str, tmp_path: Path) -> None:
    """One sentence says what is wrong, and does not contain the key."""
    weak = run_cli("serve", database_url=sqlite_url, secret_keys="short")
    assert weak.returncode == 1
    assert "at least 32 characters" in weak.stderr
    assert "short" not in weak.stderr
    missing = run_cli("serve", database_url=sqlite_url, secret_file=tmp_path / "none")
    assert missing.returncode == 1
    assert "can't be read: No such file or directory." in missing.stderr
