"""The copy of the cooldowns that a replica keeps."""

import msgspec

from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.gateway.pool.health.cooldown_cache import MOST_SECONDS, CooldownCache

NOW = 1_790_000_000.0


def fields(**until: float) -> list[str]:
    """What Redis tells of cooldowns that end so many seconds from now."""
    found = []
    for name, seconds in until.items():
        cooldown = Cooldown(until=NOW + seconds, reason=CooldownReason.QUOTA)
        found += [name.replace("__", ":"), msgspec.json.encode(cooldown).decode()]
    return found


def test_the_same_object_is_given_until_a_cooldown_ends() -> None:
    cache = CooldownCache()
    cache.replace("1 1", fields(acc_a=10, acc_b=20), now=NOW)

    first = cache.of("m", NOW)

    assert cache.of("m", NOW + 9) is first
    assert set(cache.of("m", NOW + 10)) == {"acc_b"}
    assert cache.of("m", NOW + 30) == {}


def test_a_models_cooldown_holds_for_that_model() -> None:
    cache = CooldownCache()
    cache.replace("1 1", fields(acc_a__m=10, acc_b=20), now=NOW)

    assert set(cache.of("m", NOW)) == {"acc_a", "acc_b"}
    assert set(cache.of("other", NOW)) == {"acc_b"}


def test_of_many_cooldowns_only_the_one_that_has_changed_is_decoded_again() -> None:
    cache = CooldownCache()
    cache.replace("1 1", fields(acc_a=60, acc_b=60), now=NOW)
    before = cache.of("m", NOW)

    cache.replace("2 1", fields(acc_a=60, acc_b=90, acc_c=5), now=NOW + 1)
    after = cache.of("m", NOW + 1)

    assert after["acc_a"] is before["acc_a"]
    assert (after["acc_b"].until, set(after)) == (NOW + 90, {"acc_a", "acc_b", "acc_c"})
    cache.replace("3 1", fields(acc_c=5), now=NOW + 2)
    assert set(cache.of("m", NOW + 2)) == {"acc_c"}


def test_what_an_older_version_changed_without_counting_it_is_read_after_a_moment() -> None:
    cache = CooldownCache()
    cache.replace("1 1", fields(acc_a=60), now=NOW)
    assert cache.version(NOW + 1) == "1 1"
    assert cache.version(NOW + MOST_SECONDS) == ""

    cache.replace("1 1", fields(acc_a=60, acc_b=60), now=NOW + MOST_SECONDS)

    assert set(cache.of("m", NOW + MOST_SECONDS)) == {"acc_a", "acc_b"}


def test_an_answer_that_was_overtaken_by_a_later_one_is_dropped() -> None:
    cache = CooldownCache()
    cache.replace("2 1", fields(acc_a=60), now=NOW + 0.2)

    cache.replace("1 1", fields(), now=NOW + 0.1)

    assert set(cache.of("m", NOW + 1)) == {"acc_a"}
    assert cache.version(NOW + 1) == "2 1"


def test_what_cannot_be_read_is_passed_over() -> None:
    cache = CooldownCache()

    cache.replace("1 1", ["acc_a", "no JSON", *fields(acc_b=5)], now=NOW)

    assert set(cache.of("m", NOW)) == {"acc_b"}


def test_a_reason_that_excludes_an_account_counts_before_a_longer_one_that_does_not() -> None:
    cache = CooldownCache()
    spent = Cooldown(until=NOW + 60, reason=CooldownReason.QUOTA)
    resting = Cooldown(until=NOW + 900, reason=CooldownReason.SUBSTITUTED, code="gpt-5.6-luna")
    both = {"acc_a": spent, "acc_a:m": resting}
    told = [
        part for name, one in both.items() for part in (name, msgspec.json.encode(one).decode())
    ]
    cache.replace("1 1", told, now=NOW)

    assert cache.of("m", NOW)["acc_a"] == spent
    assert cache.of("m", NOW + 61)["acc_a"] == resting
