"""What Prometheus reads of the console."""

from prometheus_client import CollectorRegistry

from codex_proapi.console.metrics import Metrics, RedisWork


def test_answers_are_counted_by_route_and_status() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.answered(method="GET", route="/api/keys", status=200, seconds=0.02)
    metrics.answered(method="BREW", route="unmatched", status=405, seconds=0.02)

    text, content_type = metrics.exposition()
    assert content_type.startswith("text/plain")
    lines = text.decode()
    assert 'console_http_requests_total{method="GET",route="/api/keys",status="200"} 1.0' in lines
    assert 'method="other",route="unmatched",status="405"} 1.0' in lines
    assert 'console_http_seconds_bucket{le="0.025",route="/api/keys"} 1.0' in lines


def test_a_stream_has_no_seconds() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.answered(method="GET", route="/api/events", status=200, seconds=None)

    lines = metrics.exposition()[0]
    assert b'console_http_requests_total{method="GET",route="/api/events",status="200"}' in lines
    assert b'console_http_seconds_count{route="/api/events"}' not in lines


def test_a_failure_of_redis_is_counted_by_what_it_was_asked_for() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.redis_failed(RedisWork.FOLLOW)

    lines = metrics.exposition()[0]
    assert b'console_redis_errors_total{work="tail"} 1.0' in lines
    assert b'console_redis_errors_total{work="upkeep"} 0.0' in lines


def test_two_consoles_in_one_process_have_their_own_series() -> None:
    one, other = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    one.sign_ins.labels("refused").inc()

    assert b'console_sign_ins_total{outcome="refused"} 1.0' in one.exposition()[0]
    assert b'console_sign_ins_total{outcome="refused"} 0.0' in other.exposition()[0]
