import pytest

from codex_proapi.commons.runtime.forwarded import was_forwarded


@pytest.mark.parametrize("name", [b"x-forwarded-for", b"forwarded", b"x-real-ip"])
def test_a_proxy_tells_that_it_is_one(name: bytes) -> None:
    assert was_forwarded([(b"host", b"x"), (name, b"")])


def test_who_asks_directly_was_not_forwarded() -> None:
    assert not was_forwarded([])
    assert not was_forwarded([(b"host", b"x"), (b"x-prometheus-scrape-timeout-seconds", b"10")])
