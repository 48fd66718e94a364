import json
import re

import pandas as pd
import pytest

from endpoint import answer, completion
from exphub_magics import experiments, prompts, specs
from exphub_magics.experiments import bills, forecasts
from exphub_magics.experiments.budgets import Estimate
from exphub_magics.experiments.forecasts import Total, forecast

PROMPT = prompts.parse("Was the decedent hurt or threatened by a partner?")
PRICES = (
    "- {model: m, input: 10, cached_input: 1, output: 100, date: 2025-11-01}\n"
    "- {model: flat, input: 10, output: 100, date: 2025-11-01}\n"
)


@pytest.fixture
def priced(tmp_path, monkeypatch):
    (tmp_path / "prices.yml").write_text(PRICES)
    monkeypatch.setenv("EXPHUB_PRICES", "prices.yml")
    monkeypatch.setattr(bills, "is_local", lambda _url: False)


@pytest.fixture
def endpoint(scripted):
    return scripted(lambda _body: completion(answer(False)))


def jobs(frame, endpoint, *variants, **more):
    served = {"provider": "scripted", "model_name": "m", "base_url": endpoint.url, "concurrency": 1}
    common = {"name": "first", "prompt": PROMPT, "data": frame, **served, **more}
    return experiments.prepare([specs.complete(specs.Spec(**{**common, **variant})) for variant in variants or ({},)])


def calls(total):
    return [one.calls for _, one in total.estimates]


def test_nothing_is_asked_or_written(hub, demo, endpoint, priced):
    found = forecast(hub, jobs(demo, endpoint))
    assert calls(found) == [9]  # of ten narratives one is a placeholder
    assert endpoint.requests == []
    assert hub.names() == []


def test_it_is_what_the_run_itself_foretells(hub, demo, endpoint, priced):
    made = jobs(demo, endpoint)
    (_, told), *_ = forecast(hub, made).estimates
    foretold = [progress.estimate for progress in experiments.run(hub, made[0]) if progress.estimate]
    assert foretold[0] == told.words()


def test_a_matrix_is_reckoned_as_a_whole(hub, demo, endpoint, priced):
    varied = [{"name": f"t{n}", "temperature": n / 10, "repeat": repeat} for n in range(3) for repeat in (1, 2)]
    found = forecast(hub, jobs(demo, endpoint, *varied))
    assert calls(found) == [9] * 6
    assert found.calls == 54
    assert found.cost[1] == pytest.approx(sum(one.cost for _, one in found.estimates))
    assert [name for name, _ in found.estimates][:2] == ["t0", "t0, repeat 2"]
    *each, last = str(found).splitlines()
    assert [line.partition(":")[0] for line in each] == [name for name, _ in found.estimates]
    assert last.startswith("together about 54 calls, ")


def test_what_is_answered_or_asked_by_another_already_is_not_paid_for_again(hub, demo, endpoint, priced):
    sampled, whole = jobs(demo, endpoint, {"sample": 4}, {})
    assert sum(calls(forecast(hub, [sampled, whole]))) == 9
    list(experiments.run(hub, sampled))
    asked = len(endpoint.requests)
    assert calls(forecast(hub, [sampled, whole])) == [0, 9 - asked]
    list(experiments.run(hub, whole))
    assert len(endpoint.requests) == 9
    assert str(forecast(hub, [sampled, whole])).splitlines()[-1] == "together nothing to ask"


def test_what_failed_or_is_asked_for_anew_is_paid_for(hub, demo, scripted, priced):
    broken = scripted(lambda body: (418, "no") if "boyfriend" in str(body) else completion(answer(False)))
    (job,) = jobs(demo, broken)
    *_, last = experiments.run(hub, job)
    assert last.statuses["failed"] == 2
    assert calls(forecast(hub, [job])) == [2]
    assert calls(forecast(hub, [job], again=["ok"])) == [9]


def test_the_drawn_sample_is_the_one_that_a_run_draws(hub, demo, endpoint, priced):
    (job,) = jobs(demo, endpoint, {"sample": 6, "stratified": True, "seed": 5})
    expected = calls(forecast(hub, [job]))
    list(experiments.run(hub, job))
    assert expected == [len(endpoint.requests)]


def test_the_price_is_a_range_where_a_provider_keeps_what_prompts_share(hub, demo, endpoint, priced):
    least, most = forecast(hub, jobs(demo, endpoint)).cost
    assert 0 < least < most
    same = forecast(hub, jobs(demo, endpoint, model_name="flat")).cost
    assert same[0] == pytest.approx(same[1])


def test_the_sum_says_what_it_leaves_out(hub, demo, endpoint, priced):
    known, unknown = jobs(demo, endpoint, {}, {"model_name": "other", "name": "second"})
    found = forecast(hub, [known, unknown])
    assert found.unpriced == ("second",)
    assert re.search(
        r": about \$\d\S* to \$\d\S*; without 1 experiment whose price nobody knows: name it in config/prices.yml; "
        r"tokens of 2 experiments are a guess until their models answer$",
        found.words(),
    )
    assert ": price unknown; without 1 experiment" in forecast(hub, [unknown]).words()
    list(experiments.run(hub, known))
    assert forecast(hub, [*jobs(demo, endpoint, {"temperature": 1.0}), unknown]).untold == ("second",)


def test_the_builtin_model_is_free(hub, demo):
    (job,) = experiments.prepare([specs.Spec("first", PROMPT, data=demo)])
    found = forecast(hub, [job, job])
    assert found.words().endswith(" out: free")
    assert str(found).splitlines()[0].endswith(": free (this machine)")


def test_the_total_is_json(hub, demo, endpoint, priced):
    said = json.loads(json.dumps(forecast(hub, jobs(demo, endpoint, {}, {"model_name": "other"})).as_json()))
    assert (said["calls"], said["unpriced"], len(said["experiments"])) == (18, ["first"], 2)
    assert said["cost"]["low"] < said["cost"]["high"]


def test_many_narratives_are_reckoned_from_some_of_them(hub, endpoint, priced, monkeypatch):
    monkeypatch.setattr(forecasts, "CHUNK", 7)
    texts = [f"V was seen on day {n % 300}." for n in range(400)]
    frame = pd.DataFrame({"narrative_id": [f"{n:03}" for n in range(400)], "narrative": texts})
    assert calls(forecast(hub, jobs(frame, endpoint))) == [300]


def test_one_estimate_needs_no_sum():
    one = Estimate(1, 10, 10, 0.5, "own", 0, "as before", 0.5, told=True)
    assert str(Total((("first", one),))) == f"first: {one.words()}"
    assert repr(Total((("first", one),))) == f"first: {one.words()}"
