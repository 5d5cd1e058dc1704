from codex_proapi.simulator.state.received_requests import ReceivedRequest


def test_the_first_ending_stands() -> None:
    arrival = ReceivedRequest(method="POST", path="/", headers={})

    arrival.end("cut", 5.0)
    arrival.end("whole", 6.0)

    assert (arrival.ending, arrival.ended_at) == ("cut", 5.0)
