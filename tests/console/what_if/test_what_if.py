"""What-if questions: what is read for them, the process that answers, page, API and command."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from support.clock import Clock
from support.console_scene import FERNET
from support.consoles import console_settings, running, script
from support.logins import a_login
from support.recorded_weeks import BUSY, CACHED, DAY, INPUT, MODEL, OUTPUT, write_weeks

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.quota_store import QuotaStore
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.cluster.live_settings import LiveSettingsStore
from codex_proapi.commons.owner_terms.terms import ReservedPercent
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.usage.counters import UsageStore
from codex_proapi.commons.usage.sums import Counters
from codex_proapi.console.cli.commands import run
from codex_proapi.console.errors import WhatIfUnavailable
from codex_proapi.console.what_if import what_if as module
from codex_proapi.console.what_if.recorded import RecordReader, reserved_of, spent_since
from codex_proapi.console.what_if.replay.question import Answer, Change, Question
from codex_proapi.console.what_if.replay.records import Records, Tokens
from codex_proapi.console.what_if.replay.sureness import NoteCode, Sureness
from codex_proapi.console.what_if.what_if import WhatIf, replayed

NOW = 1_795_003_200.0
HOURLY = 6


@pytest_asyncio.fixture
async def accounts(redis_client: Redis) -> list[str]:
    """Three accounts and five keys with four weeks of figures."""
    store = AccountStore(redis_client, CredentialCipher((FERNET,)))
    ids = [
        (await store.add(a_login(exp=int(NOW) + 9 * DAY, workspace=f"ws-{number}"))).id
        for number in range(3)
    ]
    keys = [f"key_{number}" for number in range(5)]
    await write_weeks(redis_client, accounts=ids, keys=keys, now=NOW, hourly=HOURLY, use=0.9)
    return ids


def reader(redis: Redis) -> RecordReader:
    return RecordReader(
        accounts=AccountStore(redis, CredentialCipher((FERNET,))),
        quotas=QuotaStore(redis),
        usage=UsageStore(redis),
        live_settings=LiveSettingsStore(redis),
    )


async def test_what_was_written_is_read(redis_client: Redis, accounts: list[str]) -> None:
    records = await reader(redis_client).read(NOW)

    assert {hour.requests for hour in records.hours} == {HOURLY * 3}
    assert {hour.tokens for hour in records.hours} == {
        Tokens(input=HOURLY * 3 * INPUT, cached=HOURLY * 3 * CACHED, output=HOURLY * 3 * OUTPUT)
    }
    assert 26 * len(BUSY) <= len(records.hours) <= 28 * len(BUSY)
    assert (records.since, records.people) == (records.hours[0].at, 5)
    assert sorted(account.id for account in records.accounts) == sorted(accounts)
    for account in records.accounts:
        short, long = account.windows
        assert short.spent == Tokens()
        begun = long.resets_at - long.minutes * 60
        requests = HOURLY * sum(begun <= hour.at for hour in records.hours)
        assert long.spent.input == pytest.approx(requests * INPUT, abs=HOURLY * INPUT * len(BUSY))


@pytest.mark.parametrize(
    ("lengths", "reserved"),
    [
        ([300, 10_080], (10, 20)),
        ([43_200], (10, 30)),
        ([300], (10, 20)),
        ([], (10, 20)),
        ([60, 10_080, 43_200], (30, 30)),
    ],
)
def test_what_stays_the_owners_is_that_of_the_windows_there_are(
    lengths: list[int], reserved: tuple[float, float]
) -> None:
    share = ReservedPercent(five_hour=10, weekly=20, monthly=30)

    assert reserved_of(share, lengths) == reserved


async def test_models_with_windows_of_their_own_and_accounts_that_do_not_serve_are_left_out(
    redis_client: Redis, accounts: list[str]
) -> None:
    stored = await redis_client.get(keyspace.quota(accounts[0]))
    quota = json.loads(stored or "{}")
    quota["families"].append(
        {"id": MODEL.replace("-", "_"), "windows": [{"minutes": 300, "used_percent": 1}]}
    )
    await redis_client.set(keyspace.quota(accounts[0]), json.dumps(quota))
    await AccountStore(redis_client, CredentialCipher((FERNET,))).pause(accounts[1])

    records = await reader(redis_client).read(NOW)

    assert (records.left_out, records.hours) == (100.0, ())
    assert accounts[1] not in {account.id for account in records.accounts}


def test_of_the_day_in_which_a_window_began_its_part_counts() -> None:
    counters = Counters(input=100, cached=50, output=10)
    parts = [(0.0, float(DAY), counters), (float(DAY), float(DAY), counters)]

    assert spent_since(0.75 * DAY, parts) == Tokens(input=125, cached=62, output=12)
    assert spent_since(3 * DAY, parts) == Tokens()


async def test_an_answer_is_kept_and_those_who_ask_at_once_share_it(
    redis_client: Redis, accounts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def noted(question: Question, *, seconds: float) -> Answer:
        asked.append(question.change)
        await asyncio.sleep(0)
        return Answer(sureness=Sureness.LOW, notes=())

    monkeypatch.setattr(module, "replayed", noted)
    clock = Clock(NOW)
    what_if = WhatIf(reader(redis_client), clock=clock)
    one, two = Change(accounts=1), Change(people=2)

    await asyncio.gather(*(what_if.answer(one) for _ in range(3)), what_if.answer(two))
    await what_if.answer(one)

    assert asked == [one, two]
    clock.pass_(module.KEEP_SECONDS + 1)
    await what_if.answer(one)
    assert asked == [one, two, one]


async def test_a_question_that_failed_is_not_worked_on_again_at_once(
    redis_client: Redis, accounts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def failed(question: Question, *, seconds: float) -> Answer:
        asked.append(question.change)
        raise WhatIfUnavailable

    monkeypatch.setattr(module, "replayed", failed)
    clock = Clock(NOW)
    what_if = WhatIf(reader(redis_client), clock=clock)

    for seconds in (0.0, 1.0, module.FAILED_SECONDS):
        clock.pass_(seconds)
        with pytest.raises(WhatIfUnavailable):
            await what_if.answer(Change(accounts=1))

    assert asked == [Change(accounts=1)] * 2


async def test_a_further_question_is_refused_while_many_wait(
    redis_client: Redis, accounts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()

    async def held(question: Question, *, seconds: float) -> Answer:
        await gate.wait()
        return Answer(sureness=Sureness.LOW, notes=())

    monkeypatch.setattr(module, "replayed", held)
    what_if = WhatIf(reader(redis_client), clock=lambda: NOW)
    waiting = [
        asyncio.ensure_future(what_if.answer(Change(accounts=number)))
        for number in range(1, module.MOST_WAITING + 2)
    ]
    while what_if._waiting <= module.MOST_WAITING:
        await asyncio.sleep(0)

    with pytest.raises(WhatIfUnavailable):
        await what_if.answer(Change(people=9))

    gate.set()
    assert len(await asyncio.gather(*waiting)) == module.MOST_WAITING + 1


async def test_a_replay_that_takes_too_long_is_ended() -> None:
    records = Records(now=NOW, since=NOW)

    with pytest.raises(WhatIfUnavailable):
        await replayed(Question(records=records, change=Change()), seconds=0.0)


async def test_a_replay_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MODULE", "codex_proapi.commons.no_such_module")

    with pytest.raises(WhatIfUnavailable):
        await replayed(Question(records=Records(now=NOW, since=NOW), change=Change()), seconds=60.0)


@pytest_asyncio.fixture
async def console(redis_url: str, accounts: list[str]) -> AsyncIterator[Any]:
    """A console whose store has the figures."""
    settings = console_settings(redis_url, encryption_keys=(FERNET,))
    async with running(settings, clock=lambda: NOW) as started:
        yield started


async def test_page_api_and_command_tell_the_same(
    redis_url: str,
    console: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with script(console) as api:
        found = msgspec.json.decode((await api.get("/api/what-if?accounts=1")).content, type=Answer)
        page = (await api.get("/what-if?accounts=1", headers={"accept": "text/html"})).text
        plain = (await api.get("/what-if", headers={"accept": "text/html"})).text

    assert (found.accounts, found.people, found.weeks) == ((3, 4), (5, 5), 2)
    assert found.then is not None
    assert f"{found.then.lost.value:.1f} %" in page
    assert "What a weekly window holds was worked out from" in page
    assert "Nothing asked yet" in plain
    monkeypatch.setattr("codex_proapi.console.cli.reports.what_if.time.time", lambda: NOW)
    environ = {"REDIS_URL": redis_url, "ENCRYPTION_KEYS": FERNET}
    assert await asyncio.to_thread(run, environ, ["what-if", "--accounts", "1"]) == 0
    told = capsys.readouterr().out
    assert f"{found.then.lost.value:.1f} %" in told
    assert "- What a weekly window holds was worked out from" in told


async def test_an_empty_console_says_that_too_little_is_known(redis_url: str) -> None:
    settings = console_settings(redis_url, encryption_keys=(FERNET,))
    async with running(settings, clock=lambda: NOW) as console, script(console) as api:
        found = (await api.get("/api/what-if?people=2")).json()
        refused = await api.get("/api/what-if?people=2000")
        unknown = await api.get("/api/what-if?routing=fastest")
        wrong = await api.get("/api/usage?format=xml")

    assert found["sureness"] == "too_little"
    assert [note["code"] for note in found["notes"]] == [NoteCode.NO_ACCOUNTS.value]
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "people")
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "format")
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (400, "routing")
