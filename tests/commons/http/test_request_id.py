from codex_proapi.commons.http.request_id import make_request_id


def test_ids_are_our_own_and_never_the_same() -> None:
    assert len({make_request_id() for _ in range(1000)}) == 1000
