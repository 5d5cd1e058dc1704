"""Writes Grafana's dashboards from boards/*.toml: `python deploy/grafana/build.py`.

A test builds them again and compares, so nobody edits the JSON by hand; another proves each query
against a real Prometheus that scrapes the real services.

A cluster's Prometheus has everybody's series: each query sees one namespace only, chosen on the
dashboard among those that have a gateway. Where series have no namespace (compose), it is empty.
"""  # noqa: INP001

import json
import pathlib
import runpy
import tomllib
from typing import Any

HERE = pathlib.Path(__file__).parent
SCOPED = runpy.run_path(str(HERE.parent / "prometheus" / "operator_rules.py"))["scoped"]
SOURCE = {"type": "prometheus", "uid": "${source}"}
WIDTH = 24
HEIGHT = {"stat": 4, "timeseries": 8, "table": 8, "bargauge": 8}
QUANTILES = (("0.5", "p50"), ("0.95", "p95"), ("0.99", "p99"))
PANEL = {
    "description": "",
    "kind": "timeseries",
    "width": 8,
    "unit": "short",
    "stacked": False,
    "thresholds": (),
    "most": None,
    "quantiles_of": None,
    "queries": (),
}
"""What a panel may say beside its title, and what holds if it does not."""


def main() -> None:
    """Write every dashboard."""
    for board in sorted((HERE / "boards").glob("*.toml")):
        target = HERE / "dashboards" / f"{board.stem}.json"
        target.parent.mkdir(exist_ok=True)
        target.write_text(text_of(board), encoding="utf-8")


def text_of(board: pathlib.Path) -> str:
    """The JSON of one board."""
    made = dashboard(board.stem, tomllib.loads(board.read_text(encoding="utf-8")))
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def dashboard(name: str, board: dict[str, Any]) -> dict[str, Any]:
    """One dashboard, its panels laid out row by row."""
    return {
        "uid": f"codex-proapi-{name}",
        "title": f"Codex Pro API · {board['title']}",
        "description": board["description"],
        "tags": ["codex-proapi"],
        "schemaVersion": 41,
        "version": 1,
        "editable": False,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timepicker": {},
        "graphTooltip": 1,
        "annotations": {"list": []},
        "links": [_links()],
        "templating": {"list": _variables(board)},
        "panels": _laid_out(board["rows"]),
    }


def _laid_out(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Panels from left to right, each row below the one before."""
    panels: list[dict[str, Any]] = []
    below = 0
    for row in rows:
        panels.append(_row(row["title"], number=len(panels) + 1, y=below))
        below += 1
        across = tallest = 0
        for said in row["panels"]:
            if unknown := said.keys() - PANEL.keys() - {"title"}:
                raise KeyError(f"{said['title']}: {unknown}")
            panel = PANEL | said
            width, height = panel["width"], HEIGHT[panel["kind"]]
            if across + width > WIDTH:
                across, below, tallest = 0, below + tallest, 0
            position = {"x": across, "y": below, "w": width, "h": height}
            panels.append(_panel(panel, number=len(panels) + 1, position=position))
            across, tallest = across + width, max(tallest, height)
        below += tallest
    return panels


def _row(title: str, *, number: int, y: int) -> dict[str, Any]:
    return {
        "id": number,
        "type": "row",
        "title": title,
        "collapsed": False,
        "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
        "panels": [],
    }


def _panel(panel: dict[str, Any], *, number: int, position: dict[str, int]) -> dict[str, Any]:
    made = {
        "id": number,
        "type": panel["kind"],
        "title": panel["title"],
        "description": panel["description"],
        "datasource": SOURCE,
        "gridPos": position,
        "targets": _targets(panel),
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel["kind"]),
    }
    if panel["kind"] == "table":
        hidden = {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": {}}
        made["transformations"] = [{"id": "organize", "options": hidden}]
    return made


def _targets(panel: dict[str, Any]) -> list[dict[str, Any]]:
    queries = [(query["expr"], query["legend"]) for query in panel["queries"]]
    if histogram := panel["quantiles_of"]:
        rate = f"sum by (le) (rate({histogram}_bucket[$__rate_interval]))"
        queries += [(f"histogram_quantile({q}, {rate})", legend) for q, legend in QUANTILES]
    over_time = panel["kind"] == "timeseries"
    return [
        {
            "refId": "ABCDEFGH"[number],
            "datasource": SOURCE,
            "expr": SCOPED(expr, "$namespace"),
            "legendFormat": legend,
            "range": over_time,
            "instant": not over_time,
            "format": "table" if panel["kind"] == "table" else "time_series",
        }
        for number, (expr, legend) in enumerate(queries)
    ]


def _defaults(panel: dict[str, Any]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    steps += [{"color": color, "value": value} for value, color in panel["thresholds"]]
    made: dict[str, Any] = {
        "unit": panel["unit"],
        "min": 0,
        "color": {"mode": "thresholds" if panel["thresholds"] else "palette-classic"},
        "thresholds": {"mode": "absolute", "steps": steps},
    }
    if panel["most"] is not None:
        made["max"] = panel["most"]
    if panel["kind"] == "timeseries":
        made["custom"] = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 25 if panel["stacked"] else 8,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel["stacked"] else "none", "group": "A"},
        }
    return made


def _options(kind: str) -> dict[str, Any]:
    legend = {"displayMode": "list", "placement": "bottom", "calcs": []}
    last = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    options: dict[str, dict[str, Any]] = {
        "timeseries": {
            "legend": {**legend, "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "stat": {
            "reduceOptions": last,
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "textMode": "auto",
            "wideLayout": True,
            "showPercentChange": False,
            "percentChangeColorMode": "standard",
        },
        "bargauge": {
            "reduceOptions": last,
            "displayMode": "basic",
            "orientation": "horizontal",
            "showUnfilled": True,
            "valueMode": "color",
            "namePlacement": "auto",
            "sizing": "auto",
            "minVizWidth": 8,
            "minVizHeight": 16,
            "maxVizHeight": 300,
            "legend": {**legend, "showLegend": False},
        },
        "table": {"showHeader": True, "cellHeight": "sm", "frameIndex": 0},
    }
    return options[kind]


def _variables(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [_source(), _namespace(), *map(_variable, board.get("variables", ()))]


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _namespace() -> dict[str, Any]:
    return {
        "name": "namespace",
        "label": "Namespace",
        "type": "query",
        "query": "label_values(gateway_build_info, namespace)",
        "datasource": SOURCE,
        "refresh": 2,
        "sort": 1,
        "multi": False,
        "includeAll": False,
    }


def _variable(variable: dict[str, str]) -> dict[str, Any]:
    return {
        **variable,
        "query": SCOPED(variable["query"], "$namespace"),
        "type": "query",
        "datasource": SOURCE,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _links() -> dict[str, Any]:
    return {
        "title": "Codex Pro API",
        "type": "dashboards",
        "tags": ["codex-proapi"],
        "asDropdown": False,
        "icon": "external link",
        "includeVars": False,
        "keepTime": True,
        "targetBlank": False,
        "tooltip": "",
    }


if __name__ == "__main__":
    main()
