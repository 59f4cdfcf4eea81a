"""The sites for nginx and HAProxy, and the recipe for Caddy, with real ones."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from lamia_gql.domain.settings import load
from tests.support.harness import CREATE_TASK, SUBMIT_EVENT, StartServer
from tests.support.live_clients import CHANGES, EVENTS, WebSocketClient, open_sse
from tests.support.ports import free_ports
from tests.support.reverse_proxies import NAME, SECONDS, haproxy, nginx, running
from tests.support.tools import require

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "operation.md"
CLIENT = "127.0.0.2"


def recipe(language: str) -> str:
    """The only block of this language in the guide."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(found)


def caddy(folder: Path, port: int, server: str) -> list[str]:
    """The command that runs the recipe for Caddy, without certificates."""
    program = require(shutil.which("caddy"), "Debian's caddy")
    site = recipe("caddy").replace(NAME, f"http://{NAME}:{port}, http://127.0.0.1:{port}")
    version = subprocess.check_output([program, "version"], text=True)
    if tuple(map(int, re.findall(r"\d+", version)[:3])) <= (2, 6, 2):
        site = site.replace("request_buffers 16MiB", "buffer_requests")
    config = folder / "Caddyfile"
    options = f"{{\n admin off\n auto_https off\n storage file_system {folder}\n}}\n"
    config.write_text(options + site.replace("127.0.0.1:8088", server.removeprefix("http://")))
    return [program, "run", "--adapter", "caddyfile", "--config", str(config)]


@pytest.mark.parametrize(
    ("proxy", "scheme"), [(nginx, "https"), (haproxy, "https"), (caddy, "http")]
)
async def test_behind_a_proxy(
    start_server: StartServer,
    sqlite_url: str,
    tmp_path: Path,
    proxy: Callable[..., list[str]],
    scheme: str,
) -> None:
    """Requests, subscriptions and the addresses of clients get through; foreign pages do not."""
    server = start_server(sqlite_url, allowed_hosts=NAME, trusted_proxies="127.0.0.1")
    [port] = free_ports(1)
    url = f"{scheme}://127.0.0.1:{port}"
    with (
        running(proxy(tmp_path, port, server.url), tmp_path, url),
        httpx.Client(
            transport=httpx.HTTPTransport(local_address=CLIENT, verify=False),
            base_url=url,
            headers={"host": f"{NAME}:{port}", "x-forwarded-for": "203.0.113.9"},
            timeout=SECONDS,
        ) as client,
    ):

        def post(query: str, origin: str, **given: object) -> httpx.Response:
            body = {"query": query, "variables": {"input": given}}
            return client.post("/graphql", json=body, headers={"origin": origin})

        own = f"{scheme}://{NAME}:{port}"
        security = trusting() if scheme == "https" else None
        text = "t" * 1_000_000
        task = {"name": "t", "config": text, "dependencies": text, "processes": [{"name": "p"}]}
        assert post(CREATE_TASK, "https://foreign.example", **task).status_code == 403
        created = post(CREATE_TASK, own, **task)
        assert created.json()["data"]["createTask"]["userErrors"] == [], created.text
        found = server.graphql('{ task(name: "t") { clientAddress } }')
        assert found["task"]["clientAddress"] == CLIENT
        async with (
            WebSocketClient(own, host="127.0.0.1", port=port, ssl=security) as ws,
            open_sse(url, EVENTS, task="t", after="") as stream,
        ):
            await ws.subscribe("1", CHANGES, names=["t"])
            assert (await ws.receive())["payload"]["data"]["taskChanged"]["state"] == "PENDING"
            event = {"task": "t", "process": "p", "eventClass": "STARTED"}
            assert post(SUBMIT_EVENT, own, **event).status_code == 200
            message = await anext(stream)
            assert message.data["data"]["events"]["node"]["eventClass"] == "STARTED"
            assert (await ws.receive())["payload"]["data"]["taskChanged"]["state"] == "RUNNING"
        # Caddy ended one stream of ten that began after a large request.
        for number in range(30):
            post(CREATE_TASK, own, **task)
            async with open_sse(url, EVENTS, task="t", after="") as stream:
                message = await anext(stream)
            assert message.data["data"]["events"]["node"]["eventClass"] == "STARTED", number


def test_the_site_redirects_and_limits(
    start_server: StartServer, sqlite_url: str, tmp_path: Path
) -> None:
    """Plain HTTP leads to HTTPS. Too long a body, and too many requests, are refused."""
    server = start_server(sqlite_url, allowed_hosts=NAME, trusted_proxies="127.0.0.1")
    [port] = free_ports(1)
    url = f"https://127.0.0.1:{port}"
    command = nginx(tmp_path, port, server.url)
    config = Path(command[-1])
    # So that a few requests are too many.
    config.write_text(config.read_text().replace("burst=1000", "burst=20"))
    with running(command, tmp_path, url), httpx.Client(verify=False, timeout=SECONDS) as client:
        plain = client.get(f"http://127.0.0.3:{port}/graphiql?a=b", headers={"host": NAME})
        assert (plain.status_code, plain.headers["location"]) == (
            308,
            f"https://{NAME}/graphiql?a=b",
        )
        answer = client.get(url)
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert answer.status_code == 200
        longest = "t" * (load().max_request_bytes + 1)
        for content, status, is_of_server in ((longest[:-1], 400, True), (longest, 413, False)):
            answer = client.post(
                f"{url}/graphql", content=content, headers={"content-type": "application/json"}
            )
            assert answer.status_code == status
            assert ("errors" in answer.text) is is_of_server
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: client.get(f"{url}/healthz"), range(400)))
        assert {answer.status_code for answer in answers} == {200, 429}


def trusting() -> ssl.SSLContext:
    """What a client needs that asks for no certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
