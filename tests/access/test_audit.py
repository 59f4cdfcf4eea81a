"""The audit log: a line for each change, by whom and from where, and never a token."""

from __future__ import annotations

import json
from typing import Any

from lamia_gql.domain.access import Role
from tests.support.credentials import Credentials, bearer
from tests.support.harness import CREATE_TASK, UPDATE_TASK, StartServer


def test_who_has_done_what(start_server: StartServer, sqlite_url: str) -> None:
    """GraphQL and REST; what was refused has no line."""
    credentials = Credentials(sqlite_url)
    anna = credentials.token("anna", Role.SUBMIT)
    admin = credentials.token("admin", Role.ADMIN)
    server = start_server(sqlite_url, log_format="json", log_level="info")
    tokens = [anna, admin]

    def run(token: str, query: str, **given: Any) -> Any:
        answer = server.request(query, {"input": given}, headers=bearer(token)).json()
        [payload] = answer["data"].values()
        tokens.extend(filter(None, [payload.get("token")]))
        return payload

    processes = [{"name": "p"}]
    create = CREATE_TASK.replace("task {", "token task {")
    run(anna, create, name="night", processes=processes, issueToken=True)
    run(anna, CREATE_TASK, name="night", processes=processes)
    run(anna, UPDATE_TASK, name="night", comment="c")
    add = "mutation($input: AddProcessesInput!) { addProcesses(input: $input) { task { name } } }"
    run(anna, add, task="night", processes=[{"name": "q"}])
    issue = "mutation($input: IssueTaskTokenInput!) { issueTaskToken(input: $input) { token } }"
    run(anna, issue, task="night")
    revoke = (
        "mutation($input: RevokeTaskTokensInput!) { revokeTaskTokens(input: $input)"
        " { task { name } } }"
    )
    run(anna, revoke, task="night")
    make = (
        "mutation($input: CreateAccessTokenInput!) { createAccessToken(input: $input)"
        " { token accessToken { name } } }"
    )
    run(admin, make, name="otto", roles=["READ"])
    end = (
        "mutation($input: RevokeAccessTokenInput!) { revokeAccessToken(input: $input)"
        " { accessToken { name } } }"
    )
    run(admin, end, name="otto")
    otto = bearer(anna)
    assert server.rest("POST", "/week", {"processes": {"p": None}}, headers=otto).is_success
    assert server.rest("PUT", "/week", {"comment": "c"}, headers=otto).is_success
    assert server.rest("DELETE", "/week", headers=otto).is_success
    assert server.rest("DELETE", "", ["night", "nobody"], headers=bearer(admin)).is_success

    lines = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
    found = [line for line in lines if line["logger"] == "lamia_gql.audit"]
    assert [(line["subject"], line["action"], *line["names"]) for line in found] == [
        ("anna", "CREATE_TASK", "night"),
        ("anna", "UPDATE_TASK", "night"),
        ("anna", "ADD_PROCESSES", "night"),
        ("anna", "ISSUE_TASK_TOKEN", "night"),
        ("anna", "REVOKE_TASK_TOKENS", "night"),
        ("admin", "CREATE_ACCESS_TOKEN", "otto"),
        ("admin", "REVOKE_ACCESS_TOKEN", "otto"),
        ("anna", "CREATE_TASK", "week"),
        ("anna", "UPDATE_TASK", "week"),
        ("anna", "DELETE_TASK", "week"),
        ("admin", "DELETE_TASK", "night"),
    ]
    assert found[0]["message"] == "anna at 127.0.0.1 created task night"
    assert all(line["request"] for line in found)
    assert len(tokens) == 5
    assert all(token not in server.log() for token in tokens)
    credentials.close()
