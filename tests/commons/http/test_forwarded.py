import ipaddress

import pytest

from codex_proapi.commons.http.forwarded import client_address, was_forwarded


@pytest.mark.parametrize("name", [b"x-forwarded-for", b"forwarded", b"x-real-ip"])
def test_a_proxy_tells_that_it_is_one(name: bytes) -> None:
    assert was_forwarded([(b"host", b"x"), (name, b"")])


def test_who_asks_directly_was_not_forwarded() -> None:
    assert not was_forwarded([])
    assert not was_forwarded([(b"host", b"x"), (b"x-prometheus-scrape-timeout-seconds", b"10")])


TRUSTED = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("10.0.0.0/8")]


@pytest.mark.parametrize(
    ("peer", "told", "client"),
    [
        ("198.51.100.7", [], "198.51.100.7"),
        ("198.51.100.7", ["203.0.113.9"], "198.51.100.7"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("::ffff:127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["1.2.3.4, 203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["1.2.3.4", "203.0.113.9, 10.0.0.3"], "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9:5678"], "203.0.113.9"),
        ("127.0.0.1", ["[2001:db8::1]:5678"], "2001:db8::1"),
        ("127.0.0.1", ["203.0.113.9, \x1b[31mno address"], "127.0.0.1"),
        ("127.0.0.1", ["10.0.0.2"], "10.0.0.2"),
        ("/run/socket", ["203.0.113.9"], "/run/socket"),
    ],
)
def test_a_clients_address_is_what_trusted_proxies_say_last(
    peer: str, told: list[str], client: str
) -> None:
    headers = [(b"x-forwarded-for", each.encode()) for each in told]

    assert client_address((peer, 1), headers, TRUSTED) == client
    assert client_address(None, headers, TRUSTED) == ""
