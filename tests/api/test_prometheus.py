"""What an operator installs from ``deploy/``, with a real Prometheus."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from lamia_gql.graph.stored_operations import load_operation
from tests.support.harness import Server, StartServer
from tests.support.metrics import Samples
from tests.support.ports import free_ports
from tests.support.tools import require
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "lamia.rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "lamia.json"
ALERTS = Path(__file__).with_name("alerts.yml")
DOCS = ROOT / "docs" / "operation.md"
SECONDS = 60.0
VARIABLES = {"$__rate_interval": "30s", "$instance": ".*"}
OWN_NAME = re.compile(r"\blamia_\w+")


def promtool(*arguments: object, text: str = "") -> None:
    """Run Prometheus' own checks, which must find nothing."""
    program = require(shutil.which("promtool"), "Debian's prometheus")
    done = subprocess.run(
        [program, *map(str, arguments)], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert text == "" or done.stderr == ""


def dashboard_queries() -> dict[str, str]:
    """Every query of the dashboard, with values for its variables, and where it stands."""
    dashboard = json.loads(DASHBOARD.read_text())
    found = {
        f"{panel['title']}: {target['refId']}": target["expr"]
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    }
    found |= {note["name"]: note["expr"] for note in dashboard["annotations"]["list"]}
    for variable, value in VARIABLES.items():
        found = {place: query.replace(variable, value) for place, query in found.items()}
    return found


def test_alerts(tmp_path: Path) -> None:
    """Each alert fires when it should, none fires for a healthy server."""
    promtool("check", "config", RULES.with_name("prometheus.yml"))
    tests = tmp_path / "alerts.yml"
    tests.write_text(
        (Path(__file__).parent / "alerts.yml").read_text().replace("RULES", str(RULES))
    )
    promtool("test", "rules", tests)
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    assert re.findall(r'alertname="(\w+)"', tests.read_text()) == alerts
    assert re.findall(r"^\| `(Lamia\w+)` \|", DOCS.read_text(), re.MULTILINE) == alerts


def test_the_dashboard() -> None:
    """Its panels do not overlap, have a description each, and use the chosen data source."""
    dashboard = json.loads(DASHBOARD.read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"].endswith("."), panel["title"]
            assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
    assert {one["name"] for one in dashboard["templating"]["list"]} == {"datasource", "instance"}


class Prometheus:
    """A Prometheus that scrapes servers with the rules of ``deploy/``."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str, **parameters: str) -> Any:
        """The data of an answer without errors and warnings."""
        answer = self._client.get(path, params=parameters).json()
        assert answer["status"] == "success", answer
        assert not answer.get("warnings"), answer
        return answer["data"]

    def query(self, expression: str) -> Any:
        """The samples that an expression gives now."""
        return self.get("/query", query=expression)["result"]

    def rules(self) -> list[Any]:
        """All rules with their health."""
        return [rule for group in self.get("/rules")["groups"] for rule in group["rules"]]


@contextmanager
def running_prometheus(folder: Path, server: Server) -> Iterator[Prometheus]:
    """Run Prometheus with the configuration of ``deploy/`` on a server; it scrapes often."""
    program = require(shutil.which("prometheus"), "Debian's prometheus")
    example = RULES.with_name("prometheus.yml").read_text()
    config = folder / "prometheus.yml"
    config.write_text(
        example.replace("127.0.0.1:8088", server.url.removeprefix("http://"))
        .replace("15s", "1s")
        .replace("lamia.rules.yml", str(RULES))
        + "global: { evaluation_interval: 1s }\n"
    )
    [port] = free_ports(1)
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=output,
            stderr=output,
        )
    url = f"http://127.0.0.1:{port}"

    def is_ready() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx.get(f"{url}/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    try:
        until(is_ready, log.read_text, SECONDS)
        with httpx.Client(base_url=f"{url}/api/v1", timeout=SECONDS) as client:
            yield Prometheus(client)
    finally:
        process.terminate()
        process.wait(SECONDS)


def make_traffic(server: Server) -> None:
    """Some of everything that clients do."""
    events = [{"task": "t", "process": "p", "eventClass": "BEAT"}] * 10
    server.request(load_operation("submit_events"), {"input": {"events": events}})
    server.request(load_operation("list_tasks"), {"first": 5})
    server.request("query Wrong { nothing }")
    server.rest("GET", "/t")
    server.comment("t", "changed")


@pytest.mark.slow
def test_a_real_prometheus(start_server: StartServer, postgres_url: str, tmp_path: Path) -> None:
    """It scrapes a server with two workers, and evaluates each rule and each query."""
    server = start_server(postgres_url, workers=2)
    server.create("t", {"name": "p"})
    make_traffic(server)
    text = httpx.get(f"{server.url}/metrics").text
    promtool("check", "metrics", text=text)
    # Of replicas, of which there are none, the types only.
    known = {*Samples(text).names, *re.findall(r"^# TYPE (\w+)", text, re.MULTILINE)}
    queries = dashboard_queries()
    with running_prometheus(tmp_path, server) as prometheus:

        def scraped() -> bool:
            make_traffic(server)
            found = prometheus.query("min_over_time(count(lamia_worker_up == 1)[5s:1s])")
            return bool(found) and float(found[0]["value"][1]) == 2

        until(scraped, lambda: prometheus.get("/targets"), SECONDS)
        (target,) = prometheus.get("/targets")["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")

        def evaluated() -> bool:
            make_traffic(server)
            return all(rule["health"] != "unknown" for rule in prometheus.rules())

        until(evaluated, prometheus.rules, SECONDS)
        for rule in prometheus.rules():
            assert (rule["health"], rule.get("lastError", "")) == ("ok", ""), rule
            assert set(OWN_NAME.findall(rule["query"])) <= known, rule["name"]
            # On a busy machine, a condition may hold for a moment: then the rule is pending.
            assert rule["state"] != "firing", rule

        def empty() -> list[str]:
            make_traffic(server)
            return [place for place, query in queries.items() if not prometheus.query(query)]

        # There was no version before the one that runs, so its begin is shown.
        until(lambda: not empty(), empty, SECONDS)
        for place, query in queries.items():
            assert set(OWN_NAME.findall(query)) <= known, place
