import msgspec

from commons.limits import Limits


def test_a_key_without_limits_is_written_as_nothing() -> None:
    assert msgspec.json.encode(Limits()) == b"{}"
    assert msgspec.json.decode(b'{"rpm": 3}', type=Limits) == Limits(rpm=3)
