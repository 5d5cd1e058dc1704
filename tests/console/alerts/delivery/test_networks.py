"""Addresses inside the network are refused in every spelling, unless the operator allows them."""

import ipaddress
from collections.abc import Sequence

import pytest

from codex_proapi.console.alerts.delivery.networks import (
    AddressRefused,
    HostUnknown,
    is_permitted,
    resolve_checked,
)

INSIDE = (
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "203.0.113.9"),
    *("224.0.0.1", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
    *("::", "::1", "fe80::1", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
    *("2002:7f00:1::", "2002:a00:1::", "64:ff9b:1::1", "2001:0:7f00:1::80ff:fffe"),
)
PUBLIC = ("1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101")


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not is_permitted(ipaddress.ip_address(address), ())


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_permitted(address: str) -> None:
    assert is_permitted(ipaddress.ip_address(address), ())


def test_the_operator_allows_ranges_and_nothing_else() -> None:
    allowed = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1/128"))

    assert is_permitted(ipaddress.ip_address("10.9.9.9"), allowed)
    assert is_permitted(ipaddress.ip_address("::ffff:10.9.9.9"), allowed)
    assert is_permitted(ipaddress.ip_address("::1"), allowed)
    assert not is_permitted(ipaddress.ip_address("127.0.0.1"), allowed)


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "0", "[::1]"]
)
async def test_spellings_of_loopback_are_refused_as_the_system_reads_them(host: str) -> None:
    with pytest.raises((AddressRefused, HostUnknown)):
        await resolve_checked(host.strip("[]"), 80, allowed=())


async def test_one_address_inside_is_enough_to_refuse() -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["1.1.1.1", "10.0.0.1"]

    with pytest.raises(AddressRefused):
        await resolve_checked("x.example", 443, allowed=(), resolve=resolve)
