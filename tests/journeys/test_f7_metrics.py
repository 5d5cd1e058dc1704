"""F7: what Prometheus, the log and the usage say of the same exchanges is the same."""

import asyncio

from prometheus_client.parser import text_string_to_metric_families
from support.gateways import a_chat, reading, stage

from codex_proapi.commons.usage.counters import Counters, UsageStore, day_of


async def test_one_record_is_read_by_metrics_log_stream_and_usage_alike(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script("usage_limit_reached", account="ada", times=None)
        for n in range(3):
            await play.chat(f"say word{n}")
        await play.chat(messages=[])

        records = await play.records(4)
        text = (await play.client.get("/metrics")).text
        series = {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        days = sorted({day_of(record.at) for record in records})
        counters = Counters()
        for counted in (await UsageStore(play.redis).read("model", days)).values():
            counters.add(counted.get("gpt-5.5", Counters()))

    assert series["gateway_exchanges_total", "chat", "gpt-5.5", "whole"] == 3
    assert series["gateway_exchanges_total", "chat", "none", "refused"] == 1
    assert series["gateway_exchange_seconds_count", "chat", "whole"] == 3
    assert series["gateway_first_byte_seconds_count", "chat", "gpt-5.5"] == 3
    assert series["gateway_survey_seconds_count",] >= 3
    answered = [record for record in records if record.account]
    spent = sum(record.tokens.input for record in answered)
    assert series["gateway_tokens_total", "gpt-5.5", "input"] == spent == counters.input
    attempts = sum(len(record.attempts) for record in records)
    committed = sum(value for name, value in series.items() if name[0] == "gateway_attempts_total")
    assert committed == attempts == 4
    assert series["gateway_errors_total", "400", "chat", "invalid_request_error"] == 1


async def test_the_state_of_a_replica_is_in_its_metrics(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben", commit_patience=1, body_memory_mib=64) as play:

        async def shown(name: str) -> dict[str, float]:
            text = (await play.client.get("/metrics")).text
            return {
                ",".join(sample.labels.values()): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
                if sample.name == name
            }

        assert await shown("gateway_body_limit_bytes") == {"": 64 << 20}
        assert await shown("gateway_body_bytes") == {"": 0}
        assert await shown("gateway_redis_breaker") == {"closed": 1, "grace": 0, "open": 0}
        assert await shown("gateway_egress") == {"open": 1, "probing": 0, "paused": 0}
        assert await shown("gateway_account_breakers") == {"open": 0, "half_open": 0}
        assert (await shown("gateway_stored_response_limit_bytes"))[""] > 1 << 20

        play.sim.script("silent", times=None)
        async with reading(play.replicas[0], "/v1/chat/completions", a_chat(stream=True)) as answer:
            assert answer.status == 200, "the patience is over before the backend says a word"
            early = await shown("gateway_early_answers_total")
            while (await shown("gateway_upstream_connections"))["http,busy"] != 1:
                await asyncio.sleep(0.01)
        assert early.pop("chat") == 1
        assert set(early.values()) == {0}, "each endpoint is shown before it counts anything"

        play.sim.clear()
        play.sim.script("html_403", times=None)
        for n in range(3):
            await play.chat(f"say word{n}")
        await play.until(lambda: play.replicas[0].gateway.upstream.egress.paused)
        assert (await shown("gateway_egress"))["paused"] == 1
