"""Who may read `/metrics`."""

import pytest

from codex_proapi.commons.http.figures import FiguresAccess

HOST = (b"host", b"gateway:8080")


@pytest.mark.parametrize("mark", [b"x-forwarded-for", b"forwarded", b"x-real-ip"])
@pytest.mark.parametrize("token", ["", "s3cret"])
def test_nobody_through_a_proxy(mark: bytes, token: str) -> None:
    right = (b"authorization", f"Bearer {token}".encode())

    assert not FiguresAccess(token).allows([HOST, right, (mark, b"203.0.113.7")])


def test_without_a_token_whoever_reaches_the_port() -> None:
    assert FiguresAccess().allows([HOST])
    assert FiguresAccess().allows([HOST, (b"authorization", b"Bearer of another")])


@pytest.mark.parametrize(
    ("sent", "allowed"),
    [
        (b"Bearer s3cret", True),
        (b"bearer  s3cret ", True),
        (b"Bearer s3cre", False),
        (b"Bearer s3cret2", False),
        (b"Bearer", False),
        (b"Basic s3cret", False),
        (b"s3cret", False),
        (b"Bearer s3cr\xe9t", False),
        (b"", False),
    ],
)
def test_with_one_who_sends_it(sent: bytes, allowed: bool) -> None:
    assert FiguresAccess("s3cret").allows([HOST, (b"authorization", sent)]) is allowed
    assert not FiguresAccess("s3cret").allows([HOST])


def test_the_token_is_not_shown() -> None:
    assert "s3cret" not in repr(FiguresAccess("s3cret"))
