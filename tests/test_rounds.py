import time

import pytest

from endpoint import answer, completion
from exphub_magics import experiments, prompts, specs
from exphub_magics.hub.rounds import Round

PRICE = "- {model: m, input: 1, output: 1, date: 2026-01-01}\n"


@pytest.fixture
def endpoint(scripted):
    return scripted(lambda _body: completion(answer(flag=False)))


def spec(demo, endpoint, **more):
    served = {"provider": "scripted", "model_name": "m", "base_url": endpoint.url, "concurrency": 1}
    return specs.complete(specs.Spec(name="first", prompt=prompts.parse("Hit?"), data=demo, **served, **more))


def go(hub, one, again=()):
    *_, last = experiments.run(hub, one, again=again)
    return last


def cut_short(hub, one, again, after):
    """Run until so many answers have come anew, and stop then."""
    stream = experiments.run(hub, one, again=again)
    for progress in stream:
        if progress.asked >= after:
            return stream.throw(KeyboardInterrupt())
    raise AssertionError("it was done before")


def test_a_round_that_was_cut_short_goes_on_where_it_was(hub, demo, endpoint):
    go(hub, spec(demo, endpoint))
    endpoint.requests.clear()
    endpoint.delay = 0.05
    stopped = cut_short(hub, spec(demo, endpoint), ["ok"], 3)
    asked = len(endpoint.requests)
    assert 3 <= asked < 9
    assert "run it again with --again ok for these" in stopped.reason
    last = go(hub, spec(demo, endpoint), again=["ok"])
    assert last.finished == 10
    assert any("goes on with the round of asking anew that began 20" in one for one in last.warnings)
    assert len(endpoint.requests) <= 9 + 1, "what was answered in the round is not asked again"
    assert set(endpoint.narratives()) == set(endpoint.narratives()[:10])


def test_after_its_end_the_same_states_are_a_new_round(hub, demo, endpoint):
    for times in (1, 2, 3):
        last = go(hub, spec(demo, endpoint), again=["ok"] if times > 1 else ())
        assert (len(endpoint.requests), last.warnings) == (9 * times, ())
        time.sleep(0.002)


def test_rounds_of_other_states_and_of_other_experiments_are_others(hub, demo, endpoint):
    go(hub, spec(demo, endpoint))
    first = Round.of(hub, 1, ["ok", "refused"])
    assert Round.of(hub, 1, ["refused", "ok"]).id == first.id
    assert Round.of(hub, 1, ["ok"]).id != first.id
    go(hub, spec(demo, endpoint, temperature=0.5))
    assert Round.of(hub, 2, ["ok", "refused"]).id != first.id


def test_what_failed_anew_keeps_its_round_open(hub, demo, endpoint):
    go(hub, spec(demo, endpoint))
    served = endpoint.script
    endpoint.script = lambda body: (
        (400, {"error": {"message": "no"}}) if "threatened" in body["messages"][-1]["content"] else served(body)
    )
    go(hub, spec(demo, endpoint), again=["ok"])
    endpoint.script = served
    endpoint.requests.clear()
    go(hub, spec(demo, endpoint), again=["ok"])
    assert len(endpoint.requests) == 1


def test_a_limit_of_money_says_how_the_round_goes_on(hub, demo, endpoint, tmp_path, monkeypatch):
    (tmp_path / "prices.yml").write_text(PRICE)
    monkeypatch.setenv("EXPHUB_PRICES", str(tmp_path / "prices.yml"))
    go(hub, spec(demo, endpoint))
    last = go(hub, spec(demo, endpoint, max_cost=hub.spending(1)["cost"] * 1.5), again=["ok"])
    assert last.state == "stopped"
    assert last.reason.endswith("raise it and run again for the rest with --again ok")
    endpoint.requests.clear()
    assert go(hub, spec(demo, endpoint), again=["ok"]).state == "done"
    assert 0 < len(endpoint.requests) < 9
