import asyncio

import pytest

from endpoint import answer
from exphub_magics import prompts, specs
from exphub_magics.failures import Rejection
from exphub_magics.providers.forms import Form
from exphub_magics.providers.soundings import Soundings
from exphub_magics.questions import Question, Reply

SPEC = specs.Spec(name="first", prompt=prompts.parse("Is it?"), provider="scripted", model_name="m")
UNNAMED = Rejection(400, "bad request")
FORMS = [Form(), Form(logprobs=False), Form("json", logprobs=False), Form("text", logprobs=False)]


@pytest.fixture
def soundings():
    return Soundings(SPEC)


def asked_by(soundings, narrative="1"):
    return soundings.ask(Question(narrative, ({"role": "user", "content": narrative},), narrative))


async def try_forms(soundings, asked, rejection=UNNAMED, reason="400: bad request"):
    """The forms in which a question is asked while each is turned down."""
    tried = [asked.form]
    while await soundings.another(asked, rejection, reason):
        tried.append(asked.form)
    soundings.pass_on(asked)
    soundings.refuse(reason)
    return tried


def test_the_forms_are_tried_by_the_first_second_fourth_and_eighth_that_is_turned_down(soundings):
    async def go():
        return [len(await try_forms(soundings, asked_by(soundings))) for _ in range(10)]

    assert asyncio.run(go()) == [4, 4, 1, 4, 1, 1, 1, 4, 1, 1]


def test_another_reason_has_the_forms_tried_anew(soundings):
    async def go():
        for _ in range(2):
            await try_forms(soundings, asked_by(soundings))
        return await try_forms(soundings, asked_by(soundings), reason="400: something else")

    assert asyncio.run(go()) == FORMS


def test_while_one_question_tries_forms_the_others_wait_and_take_what_it_has_found(soundings):
    async def go():
        scout, other = asked_by(soundings, "1"), asked_by(soundings, "2")
        assert await soundings.another(scout, UNNAMED, "r")
        waiting = asyncio.create_task(soundings.another(other, UNNAMED, "r"))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        assert await soundings.another(scout, UNNAMED, "r")
        assert soundings.learn(scout, Reply(answer(True))) is not None
        soundings.pass_on(scout)
        return await waiting, other.form, soundings.form, soundings.settled, soundings.turn.locked()

    assert asyncio.run(go()) == (True, FORMS[2], FORMS[2], True, False)


def test_who_waits_for_the_turn_and_is_cancelled_takes_it_from_nobody(soundings):
    async def go():
        scout, other, third = (asked_by(soundings, name) for name in "123")
        await soundings.another(scout, UNNAMED, "r")
        waiting = asyncio.create_task(soundings.another(other, UNNAMED, "r"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        soundings.pass_on(other)
        assert soundings.turn.locked()
        soundings.pass_on(scout)
        return await asyncio.wait_for(soundings.another(third, UNNAMED, "r"), 5)

    assert asyncio.run(go())


def test_a_fault_that_is_named_is_mended_without_waiting_and_for_all(soundings):
    async def go():
        scout, other = asked_by(soundings, "1"), asked_by(soundings, "2")
        await soundings.another(scout, UNNAMED, "r")
        return await soundings.another(other, Rejection(400, "logprobs are not supported"), "r"), soundings.form

    assert asyncio.run(go()) == (True, Form(logprobs=False))


@pytest.mark.parametrize("rejection", [Rejection(400, "the context length is 8"), Rejection(418, "no coffee")])
def test_what_is_about_no_form_has_none_tried(soundings, rejection):
    assert asyncio.run(try_forms(soundings, asked_by(soundings), rejection)) == [Form()]
    assert not soundings.turn.locked()


def test_the_count_of_those_turned_down_is_of_one_reason_in_a_row(soundings):
    assert [soundings.refuse(reason) for reason in "aabaa"] == [1, 2, 1, 1, 2]
