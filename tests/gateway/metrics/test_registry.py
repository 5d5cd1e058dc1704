from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from support.exchanges import a_record

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.metrics.registry import MOST_MODELS, Metrics
from codex_proapi.gateway.metrics.series import RedisWork


class Scene:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)

    def value(self, name: str, **labels: Any) -> Any:
        return self.registry.get_sample_value(name, labels)


def test_a_settled_exchange_is_counted_by_what_it_was() -> None:
    scene = Scene()
    scene.metrics.know_models({"gpt-5.5"})
    record = msgspec.structs.replace(
        a_record(4), answered_model="gpt-5.5", dropped=("seed", "x-mine")
    )

    for _ in range(2):
        scene.metrics.settle(record)

    kind = {"endpoint": "chat", "sent_model": "gpt-5.5"}
    assert scene.value("gateway_exchanges_total", ending="whole", **kind) == 2
    assert scene.value("gateway_attempts_total", account="acc_0", verdict="committed") == 2
    assert scene.value("gateway_tokens_total", kind="input", answered_model="gpt-5.5") == 8
    assert scene.value("gateway_tokens_total", kind="reasoning", answered_model="gpt-5.5") == 6
    assert scene.value("gateway_key_tokens_total", key="key_4", kind="output") == 16
    assert scene.value("gateway_exchange_seconds_sum", endpoint="chat", ending="whole") == 0.2
    assert scene.value("gateway_first_byte_seconds_count", **kind) == 2
    assert scene.value("gateway_dropped_parameters_total", parameter="seed") == 2
    assert scene.value("gateway_dropped_parameters_total", parameter="other") == 2


def test_a_refused_exchange_is_an_error_and_has_no_first_byte() -> None:
    scene = Scene()
    scene.metrics.know_models({"gpt-5.5"})
    record = msgspec.structs.replace(a_record(3), status=429, code="slow_down")

    scene.metrics.settle(record)

    kind = {"endpoint": "chat", "sent_model": "gpt-5.5"}
    assert scene.value("gateway_exchanges_total", ending="refused", **kind) == 1
    assert scene.value("gateway_errors_total", endpoint="chat", status="429", code="slow_down") == 1
    assert scene.value("gateway_first_byte_seconds_count", **kind) is None


def test_an_error_in_the_middle_of_a_stream_is_counted_though_its_status_is_200() -> None:
    scene = Scene()
    broken = msgspec.structs.replace(a_record(4), ending=Ending.BROKEN, code="upstream_timeout")

    scene.metrics.settle(broken)

    error = {"endpoint": "chat", "status": "200", "code": "upstream_timeout"}
    assert scene.value("gateway_errors_total", **error) == 1


def test_a_client_that_left_has_seen_no_error() -> None:
    scene = Scene()

    scene.metrics.settle(
        msgspec.structs.replace(a_record(4), ending=Ending.ABANDONED, status=499, code="")
    )

    assert not any(f.samples for f in scene.registry.collect() if f.name == "gateway_errors")


def test_a_code_of_upstream_that_no_table_has_is_other() -> None:
    scene = Scene()

    scene.metrics.settle(msgspec.structs.replace(a_record(3), status=400, code="brand_new"))

    error = {"endpoint": "chat", "status": "400", "code": "other"}
    assert scene.value("gateway_errors_total", **error) == 1


def test_an_exchange_that_never_had_a_model_is_none() -> None:
    scene = Scene()

    scene.metrics.settle(msgspec.structs.replace(a_record(3), sent_model=""))

    kind = {"endpoint": "chat", "ending": "refused", "sent_model": "none"}
    assert scene.value("gateway_exchanges_total", **kind) == 1


def test_however_many_models_there_are_the_labels_are_bounded() -> None:
    scene = Scene()
    models = [f"gpt-{number}" for number in range(MOST_MODELS + 5)]
    scene.metrics.know_models(models)

    for model in models:
        scene.metrics.settle(msgspec.structs.replace(a_record(4), sent_model=model))

    kind = {"endpoint": "chat", "ending": "whole"}
    assert scene.value("gateway_exchanges_total", sent_model="gpt-0", **kind) == 1
    assert scene.value("gateway_exchanges_total", sent_model="other", **kind) == 5


def test_a_failure_of_redis_is_counted_by_what_it_was_asked_for() -> None:
    scene = Scene()

    scene.metrics.snapshot_took(0.0002)
    scene.metrics.snapshot_took(1.5)
    scene.metrics.redis_failed(RedisWork.SNAPSHOT)
    scene.metrics.redis_failed(RedisWork.SETTLE)

    assert scene.value("gateway_survey_seconds_count") == 2
    assert scene.value("gateway_survey_seconds_bucket", le="0.00025") == 1
    assert scene.value("gateway_redis_errors_total", work="survey") == 1
    assert scene.value("gateway_redis_errors_total", work="settle") == 1


@pytest.mark.parametrize(
    ("series", "labels"),
    [
        ("gateway_unknown_events_total", {"family": "other"}),
        ("gateway_limit_refusals_total", {"limit": "tokens_day"}),
        ("gateway_refreshes_total", {"outcome": "refused"}),
        ("gateway_redis_errors_total", {"work": "learn"}),
    ],
)
def test_what_is_rare_begins_at_nought_so_that_the_first_time_is_an_increase(
    series: Any, labels: Any
) -> None:
    assert Scene().value(series, **labels) == 0


def test_strange_events_are_counted_by_the_family_of_their_name() -> None:
    scene = Scene()

    scene.metrics.count_strange_events({"response.sung": 2, "codex.new": 1, "x.y": 3}, malformed=4)

    assert scene.value("gateway_unknown_events_total", family="response") == 2
    assert scene.value("gateway_unknown_events_total", family="codex") == 1
    assert scene.value("gateway_unknown_events_total", family="other") == 3
    assert scene.value("gateway_malformed_events_total") == 4


@pytest.mark.parametrize(
    "series", ["first_byte_seconds", "read_gap_seconds", "silence_seconds", "exchange_seconds"]
)
def test_whatever_may_take_ten_minutes_has_buckets_so_far(series: Any) -> None:
    scene = Scene()
    scene.metrics.settle(a_record(4))
    scene.metrics.gaps.of("chat").note(1.0)

    bounds = {
        float(sample.labels["le"])
        for family in scene.registry.collect()
        for sample in family.samples
        if sample.name == f"gateway_{series}_bucket"
    }

    assert sorted(bounds)[-2] == 600


def test_a_model_nobody_knows_is_other_so_that_no_client_text_becomes_a_label() -> None:
    scene = Scene()
    scene.metrics.settle(msgspec.structs.replace(a_record(4), answered_model="made up"))

    assert scene.value("gateway_tokens_total", kind="input", answered_model="other") == 4


def test_long_answers_have_buckets_up_to_ten_minutes() -> None:
    scene = Scene()
    scene.metrics.settle(msgspec.structs.replace(a_record(4), total_ms=599_000))

    kind = {"endpoint": "chat", "ending": "whole"}
    assert scene.value("gateway_exchange_seconds_bucket", le="450.0", **kind) == 0
    assert scene.value("gateway_exchange_seconds_bucket", le="600.0", **kind) == 1


def test_accounts_are_shown_by_state() -> None:
    scene = Scene()

    scene.metrics.show_accounts({"active": 2, "revoked": 0})

    assert scene.value("gateway_accounts", state="active") == 2
    assert scene.value("gateway_accounts", state="revoked") == 0


def test_the_exposition_is_prometheus_text() -> None:
    scene = Scene()
    scene.metrics.settle(a_record(4))

    sample = b'gateway_exchanges_total{ending="whole",endpoint="chat",sent_model="other"} 1.0'
    assert sample in scene.metrics.exposition()
    assert b"_created" not in scene.metrics.exposition()
    assert repr(scene.metrics) == "<Metrics with 1 kinds of exchange>"
    assert Ending.WHOLE.value == "whole"
