"""The dashboards: in step with their source, well-formed for Grafana, their queries PromQL."""

import json
import pathlib
import re
import runpy
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from deploy.toolbox import DEPLOY, TOOLS, filled_in, panels, run, type_faults
from prometheus_client import CollectorRegistry

from codex_proapi.console.metrics import Metrics as ConsoleMetrics
from codex_proapi.gateway.metrics.registry import Metrics as GatewayMetrics

GRAFANA = DEPLOY / "grafana"
BOARDS = sorted((GRAFANA / "boards").glob("*.toml"))
TYPES = """
import type { Dashboard } from "@grafana/schema";
import type * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as bargauge from "@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen";
import type * as table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as timeseries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";
// JSON has the values of enumerations where TypeScript wants their names.
type Plain<T> = 0 extends 1 & T ? any : T extends string ? `${T}` : T extends number ? number
  : T extends (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
"""
FOREIGN = re.compile(r"up|process_\w+|redis_\w+")
"""Series of Prometheus, of its Python client, and of the Redis exporter."""


def dashboard(name: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((GRAFANA / "dashboards" / f"{name}.json").read_text())
    return made


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.stem)
def test_the_dashboards_are_in_step_with_their_source(board: pathlib.Path) -> None:
    script = runpy.run_path(str(GRAFANA / "build.py"))

    written = (GRAFANA / "dashboards" / f"{board.stem}.json").read_text()

    assert written == script["text_of"](board), "run: python deploy/grafana/build.py"


def against_types(board: dict[str, Any], folder: pathlib.Path) -> str:
    """What the types that Grafana publishes have against a dashboard and each of its panels."""
    lines = [TYPES, f"export const board: Plain<Dashboard> = {json.dumps(board)};"]
    for number, panel in enumerate(board["panels"]):
        if panel["type"] != "row":
            kind, custom = panel["type"], panel["fieldConfig"]["defaults"].get("custom", {})
            options = json.dumps(panel["options"])
            lines.append(f"export const o{number}: Plain<{kind}.Options> = {options};")
            if custom:
                of = f"Plain<{kind}.FieldConfig>"
                lines.append(f"export const c{number}: {of} = {json.dumps(custom)};")
    return type_faults(folder, "\n".join(lines))


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.stem)
def test_the_dashboards_have_grafanas_types(board: pathlib.Path, tmp_path: pathlib.Path) -> None:
    assert against_types(dashboard(board.stem), tmp_path) == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"gridPos"', '"gridPosition"'),
        ('"reduceOptions"', '"reduceOption"'),
        ('"drawStyle": "line"', '"drawStyle": "lines"'),
    ],
)
def test_a_misspelt_field_of_a_dashboard_is_refused(
    tmp_path: pathlib.Path, right: str, wrong: str
) -> None:
    text = json.dumps(dashboard("traffic"))
    assert right in text

    faults = against_types(json.loads(text.replace(right, wrong)), tmp_path)

    assert wrong.rpartition(" ")[2].strip('"') in faults


def unparsed(queries: list[str]) -> list[str]:
    """Those that are no PromQL."""
    script = (
        "import json, sys, promql_parser\n"
        "for query in json.load(sys.stdin):\n"
        "    try: promql_parser.parse(query)\n"
        "    except ValueError as error: print(query, error)\n"
    )
    done = run("deploy-python", "-c", script, input=json.dumps(queries))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_every_query_is_promql() -> None:
    assert unparsed([filled_in(query) for *_, query in panels()]) == []


def test_a_broken_query_is_found() -> None:
    assert unparsed(["sum by (le (rate(x[1m]))"]) != []


def known_series() -> set[str]:
    """Every series name the services can show, and what the rules record."""
    names = set()
    for made in (GatewayMetrics, ConsoleMetrics):
        registry = CollectorRegistry()
        made(registry)
        for family in registry.collect():
            suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
            names |= {family.name + end for end in suffixes.get(family.type, ("",))}
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    return names | {r["record"] for g in rules["groups"] for r in g["rules"] if "record" in r}


def unknown_series(queries: list[str]) -> set[str]:
    """Names in queries that no service of ours shows."""
    found = set()
    for query in queries:
        bare = re.sub(r'\{[^}]*\}|"[^"]*"|\[[^\]]*\]|\b(by|on|without)\s*\([^)]*\)', "", query)
        words = re.findall(r"[a-z_:]{2}[a-zA-Z0-9_:]*(?!\w*\s*\()", bare)
        found |= {w for w in words if not FOREIGN.fullmatch(w) and ("_" in w or ":" in w)}
    return found - known_series()


def test_every_query_asks_for_series_that_exist() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    asked = [query for *_, query in panels()]
    asked += [rule["expr"] for group in rules["groups"] for rule in group["rules"]]

    assert unknown_series(asked) - FUNCTIONS == set()


def test_an_invented_series_is_found() -> None:
    assert unknown_series(["sum(rate(gateway_requests_total[1m]))"]) == {"gateway_requests_total"}


def test_the_variables_are_known_to_grafana() -> None:
    for board in BOARDS:
        names = {variable["name"] for variable in dashboard(board.stem)["templating"]["list"]}
        used = set(re.findall(r"\$(\w+)", (GRAFANA / "boards" / board.name).read_text()))

        assert used - {"__rate_interval"} <= names


def test_every_query_sees_the_chosen_namespace_only() -> None:
    for board, title, query in panels():
        series = re.findall(r"\b((?:gateway|console|redis|process)_\w+|up)\b(\{[^}]*\})?", query)
        everybodys = [name for name, of in series if 'namespace="$namespace"' not in of]

        assert series or "codex_proapi:" in query, (board, title)
        assert everybodys == [], (board, title)


def test_the_filters_offer_what_the_namespace_has() -> None:
    for board in BOARDS:
        for variable in dashboard(board.stem)["templating"]["list"][2:]:
            assert 'namespace="$namespace"' in variable["query"], variable["name"]


def test_the_operators_config_maps_have_every_dashboard() -> None:
    listed = yaml.safe_load((GRAFANA / "kustomization.yaml").read_text())

    assert {f"dashboards/{board.stem}.json" for board in BOARDS} == set(
        listed["configMapGenerator"][0]["files"]
    )


FUNCTIONS = {"histogram_quantile", "clamp_min", "sort_desc"}
assert TOOLS
