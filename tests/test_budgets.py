import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoint import answer, completion
from exphub_magics import experiments, prompts, specs
from exphub_magics.errors import ConfigError
from exphub_magics.experiments import budgets
from exphub_magics.experiments.budgets import FORM_CHARACTERS, TRIAL, Budget, Estimate, History, estimate, shared
from exphub_magics.experiments.prices import Price
from exphub_magics.questions import Question

PRICE, FREE = Price(2, 1, 10, "own"), Price(0, 0, 0, "this machine")
PROMPT = prompts.parse("Was the decedent hurt or threatened by a partner?")


def spec(**more):
    return specs.Spec(**{"name": "first", "prompt": PROMPT, "model_name": "m", "provider": "OpenAI", **more})


def question(*contents):
    roles = ("system", "user")
    return Question("1", tuple({"role": roles[n % 2], "content": text} for n, text in enumerate(contents)), "1")


# --- before the first call --------------------------------------------------------------------------------


def test_without_a_history_a_token_is_four_characters_and_an_answer_150_tokens():
    # 2,000 characters on average, the form of the answer included
    sample = [question("x" * 1_000, "y" * (length - FORM_CHARACTERS)) for length in (600, 1_400)]
    found = estimate(spec(), PRICE, calls=404, sample=sample)
    assert (found.calls, found.prompt_tokens, found.completion_tokens) == (404, 404 * 500, 404 * 150)
    assert found.cost == pytest.approx(404 * (500 * 2 + 150 * 10) / 1e6)
    assert found.each == pytest.approx(0.0025)
    assert (found.source, found.basis) == ("own", "4 characters a token, 150 tokens an answer")


def test_earlier_replies_of_the_model_tell_how_many_tokens_there_are():
    # 3,000 characters a call, the form of the answer included, were 1,000 tokens
    history = History(120, 120 * (3_000 - FORM_CHARACTERS), prompt_tokens=120_000, completion_tokens=9_600)
    sample = [question("x" * (1_500 - FORM_CHARACTERS))]
    found = estimate(spec(), PRICE, calls=10, sample=sample, history=history)
    assert (found.prompt_tokens, found.completion_tokens) == (10 * 500, 10 * 80)
    assert found.basis == "from 120 replies of this model"


@pytest.mark.parametrize(
    "history", [History(0, 0, 0, 0), History(5, 0, 900, 750), History(5, 900, 0, 750)], ids=["none", "silent", "odd"]
)
def test_a_history_that_does_not_tell_changes_no_guess_about_prompts(history):
    sample = [question("x" * 1_000)]
    plain = estimate(spec(), PRICE, calls=1, sample=sample)
    assert estimate(spec(), PRICE, calls=1, sample=sample, history=history).prompt_tokens == plain.prompt_tokens


def test_an_answer_is_never_longer_than_max_tokens_allows():
    found = estimate(spec(max_tokens=40), PRICE, calls=2, sample=[question("x")])
    assert found.completion_tokens == 80
    assert found.basis.endswith("at most 40 an answer")
    assert estimate(spec(max_tokens=400), PRICE, calls=2, sample=[question("x")]).completion_tokens == 300


def test_reasoning_that_cannot_be_reckoned_is_said_to_be_missing():
    high = estimate(spec(reasoning_effort="high"), PRICE, calls=1, sample=[question("x")])
    assert high.basis.endswith("its reasoning not reckoned")
    assert "reasoning" not in estimate(spec(reasoning_effort="none"), PRICE, calls=1, sample=[question("x")]).basis


def test_nothing_to_ask_costs_nothing():
    found = estimate(spec(), PRICE, calls=0, sample=[])
    assert (found.cost, found.each, found.words()) == (0, 0, "nothing to ask")


@pytest.mark.parametrize(
    ("price", "ends"),
    [
        (PRICE, "1,000 tokens in and 150 out: about $0.0035 (prices: own; tokens: 4 characters a token, 150 tokens"),
        (FREE, "150 out (4 characters a token, 150 tokens an answer): free (this machine)"),
        (None, "150 out (4 characters a token, 150 tokens an answer); price unknown: name it in config/prices.yml"),
    ],
)
def test_an_estimate_is_one_plain_line(price, ends):
    sample = [question("x" * (4_000 - FORM_CHARACTERS))]
    words = estimate(spec(), price, calls=1, sample=sample).words()
    assert words.startswith("about 1 call, 1,000 tokens in and ")
    assert ends in words
    assert "\n" not in words


def test_a_price_that_is_not_known_is_no_cost_of_zero():
    assert estimate(spec(), None, calls=3, sample=[question("x")]).cost is None
    assert estimate(spec(), FREE, calls=3, sample=[question("x")]).cost == 0


@given(st.integers(0, 10**9))
def test_a_count_in_words_is_the_count_to_three_digits(count):
    words = Estimate(2, count, count, None, None, 0, "b").words()
    said = int(words.split(" calls, ")[1].split(" tokens")[0].replace(",", ""))
    assert said == pytest.approx(count, rel=0.00501)


# --- what every prompt begins with ------------------------------------------------------------------------


def test_the_shared_share_is_what_all_prompts_begin_with():
    # 30 + 8 of 50, 60 and 70 characters
    sample = [question("s" * 30, "Report: " + letter * length) for letter, length in (("a", 12), ("b", 22), ("c", 32))]
    assert shared(sample) == pytest.approx(38 / 60)


def test_what_stands_behind_the_narrative_is_not_shared():
    sample = [question(f"{text}, then the same long question") for text in ("one", "two")]
    assert shared(sample) == 0


def test_one_question_alone_shares_with_nobody():
    assert shared([question("x")]) == shared([]) == 0
    assert shared([question(""), question("")]) == 0


@given(st.lists(st.tuples(st.text(max_size=4), st.text("ab", max_size=6)), min_size=2, max_size=5), st.text("ab"))
def test_the_shared_share_is_the_same_letter_by_letter(pairs, start):
    texts = [start + "".join(pair) for pair in pairs]
    same = 0
    while all(len(text) > same for text in texts) and len({text[same] for text in texts}) == 1:
        same += 1
    total = sum(map(len, texts))
    assert shared([question(start + one, two) for one, two in pairs]) == pytest.approx(
        same * len(texts) / total if total else 0
    )


# --- while it runs ----------------------------------------------------------------------------------------


def run(budget, costs, width, seed):
    """Send calls while there is room, let them come back in any order; most under way at once, and those never sent."""
    order, waiting, under_way, most = random.Random(seed), list(costs), [], 0
    was_over = False
    while True:
        while waiting and len(under_way) < width and budget.room(len(under_way)) != 0:
            under_way.append(waiting.pop())
        most = max(most, len(under_way))
        assert not (was_over and not budget.over)
        was_over = budget.over
        if not under_way:
            return most, waiting
        budget.add(under_way.pop(order.randrange(len(under_way))))


COSTS = st.lists(st.floats(0, 0.02) | st.just(0.001), min_size=1, max_size=60)
RUNS = {"costs": COSTS, "width": st.integers(1, 40), "seed": st.integers(0, 99)}


@given(**RUNS, limit=st.floats(0, 0.3), expected=st.floats(0, 0.02), spent=st.floats(0, 0.1))
def test_a_run_spends_at_most_the_calls_under_way_beyond_its_limit(costs, width, seed, limit, expected, spent):
    budget = Budget(limit, PRICE, spent=spent, expected=expected)
    most, left = run(budget, costs, width, seed)
    assert budget.spent <= max(limit, spent) + most * max(costs) + 1e-9
    assert bool(left) <= budget.over  # it ends early only for want of money
    if left:
        assert limit - budget.spent < budget.reckoned  # and only where one more call would not fit
    if spent > limit:
        assert budget.spent == spent


@given(**RUNS, limit=st.floats(0.001, 0.3))
def test_a_run_whose_calls_cost_no_more_than_expected_keeps_its_limit(costs, width, seed, limit):
    budget = Budget(limit, PRICE, expected=max(costs))
    run(budget, costs, width, seed)
    assert budget.spent <= limit * (1 + 1e-6)


def test_before_the_first_cost_is_known_few_calls_are_under_way():
    budget = Budget(1, PRICE, expected=0.00001)
    assert [budget.room(under_way) for under_way in (0, 1, TRIAL, 50)] == [TRIAL, TRIAL - 1, 0, 0]
    budget.add(0.01)
    assert budget.room(0) == 99


def test_an_estimate_far_too_low_costs_no_more_than_the_trial():
    budget = Budget(0.05, PRICE, expected=0.00001)
    most, left = run(budget, [0.02] * 200, 64, 1)
    assert most == TRIAL
    assert budget.spent == pytest.approx(TRIAL * 0.02)
    assert len(left) == 200 - TRIAL


def test_a_limit_is_used_up_to_the_last_call_that_fits():
    budget = Budget(0.3, PRICE, expected=0.1)
    _, left = run(budget, [0.1] * 5, 2, 1)
    assert (len(left), round(budget.spent, 9)) == (2, 0.3)


def test_a_limit_of_nothing_sends_nothing_to_whoever_is_paid():
    budget = Budget(0, PRICE, expected=0)
    assert (budget.room(0), budget.over) == (0, True)


@pytest.mark.parametrize("budget", [Budget(None, PRICE), Budget(None, None), Budget(0, FREE), Budget(1, FREE)])
def test_without_a_limit_or_a_price_to_pay_there_is_room_without_end(budget):
    budget.add(0.0 if budget.price else None)
    assert (budget.room(10**6), budget.over) == (None, False)


def test_a_limit_that_cannot_be_kept_is_refused():
    with pytest.raises(ConfigError, match=r"^max_cost needs a price: .* config/prices\.yml$"):
        Budget(0.05, None)


@pytest.mark.parametrize("limit", [-0.01, math.nan, math.inf])
def test_a_limit_that_is_no_amount_is_refused(limit):
    with pytest.raises(ConfigError, match=r"^max_cost is an amount in USD from 0 up, not "):
        Budget(limit, PRICE)


def test_a_limit_of_any_size_has_room():
    assert Budget(1e300, Price(1e-300, 0, 0, "own"), dearest=1e-300).room(0) == 10**9


def test_replies_that_tell_no_tokens_count_as_the_dearest_so_far():
    budget = Budget(1, PRICE, expected=0.01)
    for cost in (0.02, None, 0.005, None):
        budget.add(cost)
    assert budget.spent == pytest.approx(0.065)
    assert budget.words() == "$0.065 of $1.00 (2 replies without token counts reckoned)"


def test_an_endpoint_that_never_tells_tokens_reaches_its_limit_all_the_same():
    budget = Budget(0.05, PRICE, expected=0.01)
    _, left = run(budget, [None] * 20, 4, 1)
    assert len(left) == 15
    assert budget.over


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (Budget(0.05, PRICE, spent=0.0123), "$0.0123 of $0.05"),
        (Budget(None, PRICE, spent=0.0123), "$0.0123"),
        (Budget(0, FREE), "free"),
        (Budget(None, None), "price unknown"),
    ],
)
def test_the_progress_says_what_is_spent_of_what(budget, words):
    assert budget.words() == words


# --- what the hub knows -----------------------------------------------------------------------------------


def known(hub, **more):
    asked = {"model_name": "m", "provider": "scripted", "reasoning_effort": None, "most": budgets.LATEST, **more}
    (row,) = hub.read("history", **asked)
    return History(**row)


def test_the_hub_tells_what_the_replies_of_a_model_took(hub, demo, scripted):
    endpoint = scripted(lambda _: completion(answer(flag=True)))
    one = specs.complete(
        specs.Spec("first", PROMPT, data=demo, provider="scripted", model_name="m", base_url=endpoint.url)
    )
    list(experiments.run(hub, one))
    texts = [text for text in demo["narrative"] if text != "Need LE report"]
    characters = sum(len(PROMPT.text) + len(text) for text in texts)
    assert known(hub) == History(9, characters, 900, 180)
    assert known(hub, most=4).replies == 4
    assert known(hub, reasoning_effort="high") == known(hub, model_name="other") == History(0, 0, 0, 0)
    # nine replies of 20 tokens each: no more than the model has shown
    about = estimate(one, PRICE, calls=9, sample=[question("x" * 200)], history=known(hub))
    assert about.completion_tokens == 180


def test_replies_that_were_known_already_or_tell_no_tokens_are_no_history(hub, demo, scripted):
    endpoint = scripted(lambda _: completion(answer(flag=True), usage=None))
    served = {"data": demo, "provider": "scripted", "model_name": "m", "base_url": endpoint.url}
    list(experiments.run(hub, specs.complete(specs.Spec("silent", PROMPT, **served))))
    assert known(hub).replies == 0
    endpoint.script = lambda _: completion(answer(flag=True))
    for name, sample in (("some", 5), ("all", None)):
        other = prompts.parse("Another question?")
        list(experiments.run(hub, specs.complete(specs.Spec(name, other, sample=sample, **served))))
    assert known(hub).replies == 9
