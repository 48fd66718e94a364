import pytest

from endpoint import answer, completion
from exphub_magics import experiments, prompts, specs
from exphub_magics.errors import ConfigError
from exphub_magics.experiments import bills, budgets

PROMPT = prompts.parse("Was the decedent hurt or threatened by a partner?")
PRICES = "- {model: m, input: 10, cached_input: 5, output: 100, date: 2025-11-01}\n"
EACH = (300 * 10 + 200 * 5 + 200 * 100) / 1e6  # USD of one of the endpoint's replies


@pytest.fixture
def priced(tmp_path, monkeypatch):
    file = tmp_path / "prices.yml"
    file.write_text(PRICES)
    monkeypatch.setenv("EXPHUB_PRICES", str(file))


@pytest.fixture
def endpoint(scripted):
    usage = {"prompt_tokens": 500, "completion_tokens": 200, "prompt_tokens_details": {"cached_tokens": 200}}
    return scripted(lambda _body: completion(answer(False), usage=usage))


def job(frame, endpoint, **more):
    served = {"provider": "scripted", "model_name": "m", "base_url": endpoint.url, "concurrency": 1}
    spec = specs.complete(specs.Spec(**{"name": "first", "prompt": PROMPT, "data": frame, **served, **more}))
    return experiments.prepare([spec])[0]


def go(hub, frame, endpoint, **more):
    return list(experiments.run(hub, job(frame, endpoint, **more)))


def test_each_reply_keeps_its_cost_and_the_run_its_sum(hub, demo, endpoint, priced):
    last = go(hub, demo, endpoint)[-1]
    assert last.spent == pytest.approx(9 * EACH)
    assert (last.prompt_tokens, last.cached_tokens, last.cached) == (4500, 1800, 0.4)
    spent = hub.spending(1)
    assert spent["cost"] == pytest.approx(9 * EACH)
    assert (spent["replies"], spent["prompt_tokens"], spent["cached_tokens"], spent["unpriced"]) == (9, 4500, 1800, 0)


def test_the_estimate_comes_before_the_first_call(hub, demo, endpoint, priced):
    for progress in experiments.run(hub, job(demo, endpoint)):
        if progress.estimate:
            break
    assert endpoint.requests == []
    assert progress.estimate.startswith("about 9 calls,")
    assert "$" in progress.estimate


def test_a_later_estimate_knows_what_the_model_took_before(hub, demo, endpoint, priced):
    go(hub, demo, endpoint)
    (estimate,) = {progress.estimate for progress in go(hub, demo, endpoint, temperature=0.5) if progress.estimate}
    assert "from 9 replies of this model" in estimate
    assert " and 1,800 out" in estimate


def test_a_limit_stops_the_run_and_a_higher_one_asks_the_rest(hub, demo, endpoint, priced):
    last = go(hub, demo, endpoint, max_cost=4.5 * EACH)[-1]
    assert (last.state, last.asked) == ("stopped", 4)
    assert "raise it" in last.reason
    assert hub.experiment(1)["end_time"] is None
    assert go(hub, demo, endpoint, max_cost=4.5 * EACH)[-1].asked == 0  # it counts what was spent before
    last = go(hub, demo, endpoint, max_cost=20 * EACH)[-1]
    assert (last.state, last.asked, last.finished) == ("done", 5, 10)
    assert last.spent == pytest.approx(9 * EACH)
    assert len(endpoint.narratives()) == len(set(endpoint.narratives())) == 9


def test_no_money_is_an_estimate_alone(hub, demo, endpoint, priced):
    last = go(hub, demo, endpoint, max_cost=0)[-1]
    assert (last.state, last.asked, endpoint.requests) == ("stopped", 0, [])


def test_many_at_once_do_not_pass_the_limit_by_more_than_what_is_under_way(hub, demo, endpoint, priced):
    go(hub, demo, endpoint, max_cost=4 * EACH, concurrency=16)
    assert hub.spending(1)["cost"] <= 4 * EACH + budgets.TRIAL * EACH


def test_a_limit_needs_a_price_before_anything_is_registered(hub, demo, endpoint, monkeypatch):
    monkeypatch.setattr(bills, "is_local", lambda _url: False)
    with pytest.raises(ConfigError, match="max_cost needs a price"):
        go(hub, demo, endpoint, max_cost=1)
    assert hub.names() == []
    assert endpoint.requests == []


def test_this_machine_is_free_and_needs_no_limit(hub, demo, endpoint):
    last = go(hub, demo, endpoint, max_cost=0)[-1]
    assert (last.state, last.asked, last.spent) == ("done", 9, 0)


def test_a_limit_for_several_experiments_is_for_all_together(hub, demo, endpoint, priced):
    jobs = [job(demo, endpoint, temperature=n / 10, name=f"t{n}") for n in range(3)]

    def run():
        return list(experiments.follow_all(hub, jobs, lambda: lambda _progress: None, max_cost=14.5 * EACH))

    assert [last.asked for last in run()] == [9, 5, 0]
    assert [last.asked for last in run()] == [0, 0, 0]
    assert sum(hub.spending(number)["cost"] for number in (1, 2, 3)) == pytest.approx(14 * EACH)
