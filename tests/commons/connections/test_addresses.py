"""Which addresses of a host are tried, in which order, and when it is looked up again."""

import asyncio
import socket
from typing import Any

import pytest
from support.clock import Clock

from codex_proapi.commons.connections.addresses import (
    DEAD_SECONDS,
    KEPT_SECONDS,
    MOST_DEAD,
    MOST_HOSTS,
    STALE_SECONDS,
    AddressBook,
    Endpoint,
    in_turn,
)

V4, V6 = socket.AF_INET, socket.AF_INET6


def endpoint(address: str) -> Endpoint:
    family = V6 if ":" in address else V4
    return (family, socket.SOCK_STREAM, 6, "", (address, 443))


class Names:
    """A name server: what it answers, or raises, and how often it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.addresses = ["192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2"]
        self.error: OSError | UnicodeError | None = None
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self.getaddrinfo)

    async def getaddrinfo(self, host: str, port: int, **_: Any) -> list[Endpoint]:
        self.asked += 1
        await self.answers.wait()
        if self.error is not None:
            raise self.error
        return [endpoint(address) for address in self.addresses]


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


async def found(book: AddressBook) -> list[str]:
    return [each[4][0] for each in await book.find("chatgpt.com", 443)]


async def test_families_are_tried_in_turn(names: Names) -> None:
    assert await found(AddressBook()) == ["192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2"]
    assert in_turn([]) == []

    names.addresses = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"]
    assert await found(AddressBook()) == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3"]


async def test_an_answer_is_used_for_a_moment_and_then_asked_for_again(names: Names) -> None:
    clock = Clock()
    book = AddressBook(clock=clock)
    await found(book)
    clock.now += KEPT_SECONDS - 1
    await found(book)
    assert names.asked == 1

    names.addresses = ["192.0.2.9"]
    clock.now += 1

    assert await found(book) == ["192.0.2.9"]
    assert names.asked == 2


async def test_a_host_none_of_whose_addresses_answer_is_looked_up_anew(names: Names) -> None:
    book = AddressBook()
    await found(book)
    book.forget("chatgpt.com", 443)
    await found(book)

    assert names.asked == 2


async def test_those_who_want_a_host_at_a_time_share_the_lookup(names: Names) -> None:
    names.answers.clear()
    book = AddressBook()
    waiting = [asyncio.ensure_future(found(book)) for _ in range(50)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    names.answers.set()

    answers = await asyncio.gather(*waiting, return_exceptions=True)

    assert names.asked == 1
    assert isinstance(answers[0], asyncio.CancelledError)
    assert all(answer == answers[1] for answer in answers[1:])


async def test_an_address_that_did_not_answer_is_tried_after_the_others_for_a_time(
    names: Names,
) -> None:
    names.addresses = ["2001:db8::1", "192.0.2.1"]
    clock = Clock()
    book = AddressBook(clock=clock)
    book.answered(endpoint("192.0.2.1"), instead_of=[endpoint("2001:db8::1")])
    assert await found(book) == ["192.0.2.1", "2001:db8::1"]

    clock.now += DEAD_SECONDS
    assert await found(book) == ["2001:db8::1", "192.0.2.1"]


async def test_an_address_that_answers_is_not_dead(names: Names) -> None:
    names.addresses = ["2001:db8::1", "192.0.2.1"]
    book = AddressBook()
    book.answered(endpoint("192.0.2.1"), instead_of=[endpoint("2001:db8::1")])
    book.answered(endpoint("2001:db8::1"))

    assert await found(book) == ["2001:db8::1", "192.0.2.1"]


async def test_while_the_name_server_is_away_the_last_answer_serves(names: Names) -> None:
    clock = Clock()
    book = AddressBook(clock=clock)
    before = await found(book)
    names.error = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    clock.now += KEPT_SECONDS
    assert await found(book) == before

    clock.now += STALE_SECONDS
    with pytest.raises(socket.gaierror, match="Temporary"):
        await found(book)


@pytest.mark.parametrize(
    "error", [socket.gaierror(socket.EAI_NONAME, "Name or service not known"), UnicodeError("x")]
)
async def test_a_name_that_is_none_any_more_is_an_error_at_once(
    names: Names, error: OSError | UnicodeError
) -> None:
    clock = Clock()
    book = AddressBook(clock=clock)
    await found(book)
    names.error = error
    clock.now += KEPT_SECONDS

    with pytest.raises(socket.gaierror, match="not known"):
        await found(book)


async def test_what_is_remembered_is_bounded(names: Names) -> None:
    book = AddressBook()
    for number in range(MOST_HOSTS + 1):
        await book.find(f"host{number}.example", 443)
    book.answered(
        endpoint("192.0.2.1"), instead_of=[endpoint(f"2001:db8::{n:x}") for n in range(MOST_DEAD)]
    )
    book.answered(endpoint("192.0.2.1"), instead_of=[endpoint("2001:db8:1::1")])

    assert repr(book) == "<AddressBook of 1 hosts, 1 addresses dead>"
