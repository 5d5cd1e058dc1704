"""Alert rules and the configuration of Prometheus and Alertmanager, by their own tools."""

import pathlib
import re
import runpy
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from deploy.toolbox import DEPLOY, run
from prometheus_client import CollectorRegistry, generate_latest
from support.exchanges import a_record
from support.tree import ROOT

from codex_proapi.console.metrics import Metrics as ConsoleMetrics
from codex_proapi.gateway.metrics.registry import Metrics as GatewayMetrics

RULES = DEPLOY / "prometheus" / "alerts.yml"
CONFIG = DEPLOY / "compose" / "prometheus.yml"
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}


def refused(*arguments: str | pathlib.Path, by: str = "promtool") -> str:
    """What the tool says against a file; empty when nothing."""
    done = run(by, *arguments)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def configured(folder: pathlib.Path, text: str) -> pathlib.Path:
    path = folder / "prometheus.yml"
    path.write_text(text.replace("/etc/prometheus/rules", str(DEPLOY / "prometheus")))
    return path


def test_the_rules_are_sound() -> None:
    assert refused("check", "rules", RULES) == ""


def test_a_broken_rule_is_refused(tmp_path: pathlib.Path) -> None:
    broken = tmp_path / "alerts.yml"
    broken.write_text(RULES.read_text().replace("sum(rate(", "sum(rat(", 1))

    assert "rat" in refused("check", "rules", broken)


@pytest.mark.parametrize("made", [GatewayMetrics, ConsoleMetrics])
def test_the_figures_are_sound(made: Any) -> None:
    metrics = made(CollectorRegistry())
    if isinstance(metrics, GatewayMetrics):
        metrics.know_models({"gpt-5.5"})
        for number in range(6):
            metrics.settle(a_record(number))
    else:
        metrics.answered(method="GET", route="/api/keys", status=200, seconds=0.1)
    text = generate_latest(metrics.registry).decode()

    assert linted(text) == ""
    assert "help text" in linted(text.replace("# HELP", "# "))


def linted(text: str) -> str:
    """What promtool has against figures."""
    done = run("promtool", "check", "metrics", input=text)
    return done.stdout + done.stderr


def test_every_alert_fires_when_it_should_and_only_then() -> None:
    assert refused("test", "rules", DEPLOY / "prometheus" / "alerts_test.yml") == ""


def test_a_changed_threshold_fails_the_rule_tests(tmp_path: pathlib.Path) -> None:
    rules = RULES.read_text().replace(
        "codex_proapi:failed:ratio_rate5m > 0.05", "codex_proapi:failed:ratio_rate5m > 0.5"
    )
    tmp_path.joinpath("alerts.yml").write_text(rules)
    tests = yaml.safe_load((DEPLOY / "prometheus" / "alerts_test.yml").read_text())
    # The others have nothing to do with it, and take as long as all rules take unchanged.
    tests["tests"] = [each for each in tests["tests"] if each["name"].startswith("ErrorsHigh ")]
    tmp_path.joinpath("alerts_test.yml").write_text(yaml.safe_dump(tests))

    assert "ErrorsHigh" in refused("test", "rules", tmp_path / "alerts_test.yml")


def test_every_alert_has_its_tests() -> None:
    tested = yaml.safe_load((DEPLOY / "prometheus" / "alerts_test.yml").read_text())["tests"]
    names = [case["name"] for case in tested]

    assert {f"{alert} fires" for alert in ALERTS} <= set(names)
    assert {f"{alert} stays silent" for alert in ALERTS} <= set(names)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_its_section_of_the_runbook(alert: str) -> None:
    page = (ROOT / "docs" / "running.md").read_text()

    assert ALERTS[alert]["annotations"]["runbook"] == f"docs/running.md#{alert.lower()}"
    assert re.search(rf"^#+ {alert}$", page, re.MULTILINE)
    assert ALERTS[alert]["labels"]["severity"] in {"page", "ticket", "info"}


def test_prometheus_understands_its_configuration(tmp_path: pathlib.Path) -> None:
    assert refused("check", "config", configured(tmp_path, CONFIG.read_text())) == ""


def test_a_misspelt_field_of_the_configuration_is_refused(tmp_path: pathlib.Path) -> None:
    broken = CONFIG.read_text().replace("static_configs", "static_config", 1)

    assert "static_config" in refused("check", "config", configured(tmp_path, broken))


def test_alertmanager_understands_its_configuration() -> None:
    assert refused("check-config", DEPLOY / "compose" / "alertmanager.yml", by="amtool") == ""


def test_an_unknown_receiver_is_refused(tmp_path: pathlib.Path) -> None:
    text = (DEPLOY / "compose" / "alertmanager.yml").read_text()
    broken = tmp_path / "alertmanager.yml"
    broken.write_text(text.replace("receiver: nobody", "receiver: somebody", 1))

    assert "somebody" in refused("check-config", broken, by="amtool")


def test_the_operators_rules_are_the_same() -> None:
    written = (DEPLOY / "k8s" / "components" / "monitoring" / "rules.yaml").read_text()
    script = runpy.run_path(str(DEPLOY / "prometheus" / "operator_rules.py"))

    assert written == script["text"](), "run: python deploy/prometheus/operator_rules.py"
    # The same but for the namespace in every selector.
    plain = re.sub(r',?namespace="codex-proapi"', "", written).replace("{}", "")
    assert yaml.safe_load(plain)["spec"] == yaml.safe_load(RULES.read_text())


FOREIGN = {
    'redis_aof_enabled{namespace="shop"}': "RedisNotPersisting",
    'redis_up{namespace="shop",job="cache"}': "RedisDown",
    'up{namespace="shop",job="gateway"}': "GatewayDown",
    'gateway_accounts{namespace="shop",state="active"}': "NoAccounts",
    'gateway_draining{namespace="shop"}': "",
}
"""Series of another team at 0, and the alert each would raise were it ours."""


def fired(folder: pathlib.Path, groups: Any, series: list[tuple[str, int]], alert: str) -> bool:
    """Whether an alert fires within the hour over constant series."""
    folder.joinpath("rules.yml").write_text(yaml.safe_dump({"groups": groups}))
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": f"{value}x60"} for name, value in series],
        "alert_rule_test": [{"eval_time": "59m", "alertname": alert, "exp_alerts": []}],
    }
    test = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [case]}
    folder.joinpath("test.yml").write_text(yaml.safe_dump(test))
    return refused("test", "rules", folder / "test.yml") != ""


@pytest.fixture(scope="module")
def operators() -> Any:
    written = (DEPLOY / "k8s" / "components" / "monitoring" / "rules.yaml").read_text()
    return yaml.safe_load(written)["spec"]["groups"]


def test_another_teams_series_raise_no_alert_of_ours(
    tmp_path: pathlib.Path, operators: Any
) -> None:
    plain = yaml.safe_load(RULES.read_text())["groups"]
    for series, alert in FOREIGN.items():
        if alert:
            assert fired(tmp_path, plain, [(series, 0)], alert), "the case shows nothing"
            assert not fired(tmp_path, operators, [(series, 0)], alert), alert
            ours = series.replace("shop", "codex-proapi")
            assert fired(tmp_path, operators, [(ours, 0)], alert), alert


def test_another_teams_gateway_hides_no_loss_of_ours(
    tmp_path: pathlib.Path, operators: Any
) -> None:
    theirs = ('up{namespace="shop",job="gateway"}', 1)

    assert fired(tmp_path, operators, [theirs], "GatewayGone")


def test_every_selector_of_the_operators_rules_is_ours(operators: Any) -> None:
    for group in operators:
        for rule in group["rules"]:
            names = re.findall(
                r"\b(?:up|(?:gateway|console|redis|process)_[a-z_]+)\b", unquoted(rule)
            )
            scopes = rule["expr"].count('namespace="codex-proapi"')
            assert scopes == len(names), rule["expr"]


def unquoted(rule: Any) -> str:
    return re.sub(r'"[^"]*"', "", rule["expr"])


def test_alerts_that_silence_others_exist() -> None:
    config = yaml.safe_load((DEPLOY / "compose" / "alertmanager.yml").read_text())
    names = {
        name
        for rule in config["inhibit_rules"]
        for matcher in (*rule["source_matchers"], *rule["target_matchers"])
        for name in re.findall(r'alertname=~?"([^"]+)"', matcher)[0].split("|")
    }

    assert names
    assert names <= set(ALERTS)
