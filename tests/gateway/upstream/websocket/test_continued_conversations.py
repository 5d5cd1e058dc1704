"""Whatever happens to a conversation, the backend sees exactly what its client has sent.

Random conversations over a real connection to the strict simulator: histories that are continued,
branched and edited, items that come back changed in form, turns side by side, other accounts, other keys,
connections that are lost, and faults.
"""

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.upstream_sockets import SocketScene, a_message, answered, scene

FAULTS = (
    "previous_not_found",
    "connection_limit",
    "closed_1011_frame",
    "connection_reset",
    "closed_1011_created",
    "closed_1000_end",
    "failed",
    "other_ids",
    "full_output",
    "interleaved",
    "done_first",
    "no_item_done",
)
FAULTS_OF_SOCKETS = {"previous_response_not_found", "websocket_connection_limit_reached"}
FORMS = ("as it came", "without ids", "shown only", "without reasoning", "changed")
PLACE = st.integers(0, 30)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), PLACE, st.sampled_from(FORMS)),
        st.tuples(st.just("branch"), PLACE, PLACE),
        st.tuples(st.just("edit"), PLACE, PLACE),
        st.tuples(st.just("retouch"), PLACE, PLACE),
        st.tuples(st.just("rule"), PLACE, PLACE),
        st.tuples(st.just("together"), PLACE, st.integers(2, 3)),
        st.tuples(st.just("account"), st.sampled_from(("ada", "ben")), PLACE),
        st.tuples(st.just("key"), st.sampled_from(("one", "two")), PLACE),
        st.tuples(st.just("lose"), PLACE, PLACE),
        st.tuples(st.just("fault"), st.sampled_from(FAULTS), PLACE),
    ),
    min_size=4,
    max_size=25,
)


class Conversations:
    """The state of one run."""

    def __init__(self, play: SocketScene) -> None:
        self.play = play
        self.histories: list[tuple[str, list[Any]]] = [("Be brief.", [])]
        self.account, self.key = "ada", "one"
        self.count = self.latest = 0
        self.owners: dict[int, tuple[str, str]] = {}

    async def run(self, operations: list[tuple[str, Any, Any]]) -> None:
        await self.do_say(0, "as it came")
        for name, first, second in operations:
            await getattr(self, f"do_{name}")(first, second)
            if name != "say":
                await self.do_say(self.latest, "as it came")

    async def do_say(self, place: int, form: str) -> None:
        at = self.latest = place % len(self.histories)
        rules, history = self.histories[at]
        self.histories[at] = rules, await self.turn(rules, history, form)

    async def do_together(self, place: int, count: int) -> None:
        rules, history = self.histories[place % len(self.histories)]
        turns = [self.turn(rules, history, "as it came") for _ in range(count)]
        made = await asyncio.gather(*turns)
        self.histories = [*self.histories, *((rules, each) for each in made)][-3:]

    async def do_branch(self, place: int, length: int) -> None:
        rules, history = self.histories[place % len(self.histories)]
        self.histories = [*self.histories[-2:], (rules, history[: length % (len(history) + 1)])]
        self.latest = len(self.histories) - 1

    async def do_edit(self, _: int, item: int) -> None:
        at = self.latest
        rules, history = self.histories[at]
        if history:
            edited = [*history]
            edited[item % len(edited)] = a_message(f"say edited {item}")
            self.histories[at] = rules, edited

    async def do_retouch(self, _: int, item: int) -> None:
        """Change one letter of a message, so that everything stays as long as it was."""
        rules, history = self.histories[self.latest]
        said = [at for at, each in enumerate(history) if each.get("role") == "user"]
        if said:
            at = said[item % len(said)]
            text = history[at]["content"][0]["text"]
            retouched = [*history]
            retouched[at] = a_message("S" + text[1:])
            self.histories[self.latest] = rules, retouched

    async def do_rule(self, _: int, number: int) -> None:
        at = self.latest
        self.histories[at] = f"Rule {number}.", self.histories[at][1]

    async def do_account(self, account: str, _: int) -> None:
        self.account = account

    async def do_key(self, key: str, _: int) -> None:
        self.key = key

    async def do_lose(self, _: int, __: int) -> None:
        self.play.transport.sockets.close_waiting()

    async def do_fault(self, name: str, _: int) -> None:
        self.play.sim.script(name)

    async def turn(self, rules: str, history: list[Any], form: str) -> list[Any]:
        """Ask, and give what the client then has; what it had if it was not answered."""
        self.count += 1
        asked = [*history, a_message(f"say word{self.count}")]
        account, key = self.account, self.key
        request = self.play.request(asked, account=account, key=key, instructions=rules)
        output = await answered(self.play.transport, request)
        self.check(asked, rules, account, key)
        return [*asked, *filter(None, (returned(item, form) for item in output or ()))]

    def check(self, asked: list[Any], rules: str, account: str, key: str) -> None:
        """Every frame of the turn was complete in the eyes of the backend, and on a socket of its own."""
        for turn in self.play.sim.turns:
            assert turn.status != 400 or turn.code in FAULTS_OF_SOCKETS
            if turn.method != "WEBSOCKET" or turn.context is None:
                continue
            if turn.connection in self.owners:
                assert self.owners[turn.connection][0] == turn.account
            if plain(turn.context[-1:]) == plain(asked[-1:]):
                owner = self.owners.setdefault(turn.connection, (account, key))
                assert owner == (account, key)
                assert turn.account == account
                assert turn.body["instructions"] == rules
                assert plain(turn.context) == plain(asked)


def plain(items: list[Any]) -> list[Any]:
    """Items without what the form of a client's history changes."""
    found = []
    for item in items:
        kept = {k: v for k, v in item.items() if k not in {"id", "status", "phase", "summary"}}
        if isinstance(kept.get("content"), list):
            kept["content"] = [{"type": p["type"], "text": p.get("text")} for p in kept["content"]]
        found.append(kept)
    return found


def returned(item: Any, form: str) -> Any:
    """An item of the output as a client sends it back; None if it does not."""
    if form == "as it came":
        return item
    if form == "changed" and item["type"] == "message":
        return a_message("other words", "assistant")
    kept = {k: v for k, v in item.items() if k not in {"id", "status"}}
    if form == "shown only":
        return {k: v for k, v in kept.items() if k != "phase"} | (
            {"summary": []} if item["type"] == "reasoning" else {}
        )
    return None if form == "without reasoning" and item["type"] == "reasoning" else kept


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(OPERATIONS)
def test_the_backend_always_sees_what_the_client_has_sent(operations: list[Any]) -> None:
    async def play() -> None:
        async with scene() as made:
            await Conversations(made).run(operations)

    asyncio.run(play())


async def test_what_goes_on_is_sent_alone() -> None:
    async with scene() as play:
        history: list[Any] = []
        talk = Conversations(play)
        for form in ("as it came", "without ids", "shown only", "as it came"):
            history = await talk.turn("Be brief.", history, form)

        frames = [turn.body for turn in play.sim.turns]
        assert [len(frame["input"]) for frame in frames] == [1, 1, 1, 1]
        assert ["previous_response_id" in frame for frame in frames] == [False, True, True, True]
        assert len({turn.connection for turn in play.sim.turns}) == 1


async def test_reasoning_that_does_not_come_back_is_a_difference() -> None:
    async with scene() as play:
        talk = Conversations(play)
        history = await talk.turn("Be brief.", [], "without reasoning")
        await talk.turn("Be brief.", history, "as it came")

        assert [len(turn.body["input"]) for turn in play.sim.turns] == [1, 3]
        assert len({turn.connection for turn in play.sim.turns}) == 1
        assert "previous_response_id" not in play.sim.turns[1].body
