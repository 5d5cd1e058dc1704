from typing import Any

import msgspec
from prometheus_client import CollectorRegistry
from support.exchanges import a_record

from commons.accounts.quota import SeenFamily, SeenQuota, SeenWindow
from commons.records import Ending
from gateway.metrics import Metrics


class Scene:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)

    def value(self, name: str, **labels: Any) -> Any:
        return self.registry.get_sample_value(name, labels)


def test_a_settled_exchange_is_counted_by_what_it_was() -> None:
    scene = Scene()
    scene.metrics.know_models({"gpt-5.5"})
    record = msgspec.structs.replace(a_record(4), answered_model="gpt-5.5", dropped=("a", "b"))

    for _ in range(2):
        scene.metrics.settle(record)

    assert scene.value("gateway_exchanges_total", endpoint="chat", ending="whole") == 2
    assert scene.value("gateway_attempts_total", account="acc_0", verdict="committed") == 2
    assert scene.value("gateway_tokens_total", kind="input", answered_model="gpt-5.5") == 8
    assert scene.value("gateway_tokens_total", kind="reasoning", answered_model="gpt-5.5") == 6
    assert scene.value("gateway_key_tokens_total", key="key_4", kind="output") == 16
    assert scene.value("gateway_exchange_seconds_sum", endpoint="chat") == 0.2
    assert scene.value("gateway_first_byte_seconds_count", endpoint="chat") == 2
    assert scene.value("gateway_dropped_parameters_total") == 4


def test_a_refused_exchange_is_an_error_and_has_no_first_byte() -> None:
    scene = Scene()
    record = msgspec.structs.replace(a_record(3), status=429)

    scene.metrics.settle(record)

    assert scene.value("gateway_exchanges_total", endpoint="chat", ending="refused") == 1
    assert scene.value("gateway_errors_total", status="429") == 1
    assert scene.value("gateway_first_byte_seconds_count", endpoint="chat") == 0


def test_a_model_nobody_knows_is_other_so_that_no_client_text_becomes_a_label() -> None:
    scene = Scene()
    scene.metrics.settle(msgspec.structs.replace(a_record(4), answered_model="made up"))

    assert scene.value("gateway_tokens_total", kind="input", answered_model="other") == 4


def test_long_answers_have_buckets_up_to_ten_minutes() -> None:
    scene = Scene()
    scene.metrics.settle(msgspec.structs.replace(a_record(4), total_ms=599_000))

    assert scene.value("gateway_exchange_seconds_bucket", endpoint="chat", le="450.0") == 0
    assert scene.value("gateway_exchange_seconds_bucket", endpoint="chat", le="600.0") == 1


def test_accounts_are_shown_by_state() -> None:
    scene = Scene()

    scene.metrics.show_accounts({"active": 2, "revoked": 0})

    assert scene.value("gateway_accounts", state="active") == 2
    assert scene.value("gateway_accounts", state="revoked") == 0


def test_quota_windows_are_shown_by_their_length_and_go_with_their_account() -> None:
    scene = Scene()
    window = SeenWindow(minutes=300, used_percent=42, resets_at=99)
    unknown = SeenWindow(minutes=10_080, used_percent=1)
    quota = SeenQuota(seen_at=1, families=(SeenFamily(id="codex", windows=(window, unknown)),))

    scene.metrics.show_quotas({"acc_a": quota})
    assert scene.value("gateway_quota_used_ratio", account="acc_a", window="five_hour") == 0.42
    assert (
        scene.value("gateway_quota_reset_timestamp_seconds", account="acc_a", window="five_hour")
        == 99
    )
    scene.metrics.show_quotas({})
    assert scene.value("gateway_quota_used_ratio", account="acc_a", window="five_hour") is None


def test_the_exposition_is_prometheus_text() -> None:
    scene = Scene()
    scene.metrics.settle(a_record(4))

    assert (
        b'gateway_exchanges_total{ending="whole",endpoint="chat"} 1.0' in scene.metrics.exposition()
    )
    assert repr(scene.metrics) == "<Metrics with 1 kinds of exchange>"
    assert Ending.WHOLE.value == "whole"
