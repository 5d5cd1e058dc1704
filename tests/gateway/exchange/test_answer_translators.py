"""When the translator of an answer is made."""

from gateway.exchange.test_response_writer import Scene, Wire

from codex_proapi.gateway.errors import BadRequest


async def test_a_translator_is_made_when_it_is_needed_and_once_for_each_answer() -> None:
    scene = Scene()
    assert scene.exchange.report is None
    first = scene.translator
    assert scene.reply.translator() is first
    assert scene.exchange.report is first.report
    scene.translator = Wire()
    assert scene.reply.translator() is first
    scene.reply.renew()
    assert scene.exchange.report is first.report, "nothing has needed another one"
    assert scene.reply.translator() is scene.translator


async def test_an_answer_that_has_begun_always_has_a_translator_to_say_its_error() -> None:
    scene = Scene(patience=1)
    await scene.ticks(1)
    assert scene.sent.status == 200
    scene.translator = Wire()
    scene.reply.renew()
    assert scene.exchange.report is scene.translator.report
    await scene.reply.fail(BadRequest("refused", code="no"))
    assert scene.sent.bodies[-1] == b"error: no"
