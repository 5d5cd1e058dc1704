from support.leases import a_lease

from gateway.relay.lease import Wish


async def test_a_wish_confirms_nothing_unless_it_is_told_how() -> None:
    assert await Wish(model="gpt-5.5").confirm(7) is None


def test_a_lease_prints_no_token() -> None:
    assert "token of" not in repr(a_lease())
