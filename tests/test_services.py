import json

import pandas as pd
import pytest

from endpoint import answer, completion
from exphub_magics import cards, comparisons, experiments, prompts, specs
from exphub_magics.errors import EndpointError
from exphub_magics.hub.services import Service, changed, drift

PROMPT = prompts.parse("Was the decedent hurt or threatened by a partner?")


def spec(number, endpoint, **more):
    frame = pd.DataFrame(
        {
            "narrative_id": [f"{n:03}" for n in range(number)],
            "narrative": [f"V was seen on day {n}." for n in range(number)],
            "manual_flag": ["1", "0"] * (number // 2),
        }
    )
    served = {"provider": "scripted", "model_name": "m", "base_url": endpoint.url, "concurrency": 1}
    return specs.complete(specs.Spec(**{"name": "first", "prompt": PROMPT, "data": frame, **served, **more}))


def day(body):
    return int(body["messages"][-1]["content"].rstrip(".").split()[-1])


def serving(model=lambda _day: "m-05", fingerprint=lambda _day: None):
    """A script whose model and fingerprint hang on the narrative."""

    def script(body):
        named = {"model": model(day(body)), "system_fingerprint": fingerprint(day(body))}
        return completion(answer(day(body) % 2 == 0), **named)

    return script


def run(hub, one):
    *_, last = experiments.run(hub, one)
    return last


def test_one_model_is_worth_no_word(hub, scripted):
    run(hub, spec(20, scripted(serving(fingerprint=lambda _: "fp_a"))))
    assert drift(hub, 1) == ()
    assert drift(hub, 2) == ()  # nor is an experiment without a reply


def test_a_model_that_changes_in_mid_run_is_said_with_the_place(hub, scripted):
    endpoint = scripted(serving(lambda day: "m-05" if day < 8 else "m-08", lambda day: f"fp_{day // 8}"))
    run(hub, spec(20, endpoint))
    note = "the served model changed from m-05 to m-08 after 8 narratives: these answers are of more than one"
    assert drift(hub, 1) == (note,)
    card = cards.scorecard(hub, 1, warnings=["something else", note])
    assert card.warnings == ("something else", note)
    assert f"note: {note}" in str(card)


def test_a_fingerprint_that_changes_is_said_where_the_model_stays(hub, scripted):
    run(hub, spec(20, scripted(serving(fingerprint=lambda day: "fp_a" if day < 1 else "fp_b"))))
    (note,) = drift(hub, 1)
    assert note.startswith("the system fingerprint changed from fp_a to fp_b after 1 narrative: ")


def test_models_that_take_turns_are_counted(hub, scripted):
    run(hub, spec(30, scripted(serving(lambda day: f"m-{day % 5}" if day % 3 else "m-0"))))
    (note,) = drift(hub, 1)
    assert note.startswith("the served model changed to and fro (m-0 14, ")
    assert " and 2 more)" in note


def test_an_endpoint_that_names_itself_now_and_then_has_not_changed(hub, scripted):
    run(hub, spec(20, scripted(serving(lambda day: "m" if day % 2 else None, lambda day: "fp" if day % 3 else None))))
    assert drift(hub, 1) == ()


def test_a_run_that_is_taken_up_by_another_model_says_so(hub, scripted):
    after = 10

    def script(body):
        if after and day(body) >= after:
            return 401, {"error": {"message": "expired"}}
        return serving(lambda _: "m-05" if after else "m-08")(body)

    one = spec(20, scripted(script))
    with pytest.raises(EndpointError):
        run(hub, one)
    assert drift(hub, 1) == ()
    after = 0
    assert run(hub, one).state == "done"
    assert drift(hub, 1) == (changed("served model", [Service("m-05", 10, 1, 10), Service("m-08", 10, 11, 20)]),)


def test_a_comparison_says_which_of_its_experiments_is_mixed(hub, scripted):
    endpoint = scripted(serving(lambda day: "m-05" if day < 8 else "m-08"))
    run(hub, spec(20, scripted(serving())))
    run(hub, spec(20, endpoint, name="second"))
    found = comparisons.compare(hub, ["first", "second"])
    assert [note.partition(":")[0] for note in found.notes] == ["second@1"]
    assert str(found).startswith("note: second@1: the served model changed from m-05 to m-08 after 8 narratives")
    assert json.loads(json.dumps(found.as_json()))["notes"] == list(found.notes)
    assert comparisons.compare(hub, ["first", "first@1", "second@1"]).notes == found.notes


def test_many_steps_are_cut_short():
    services = [Service(f"m-{n}", 10, 1 + 10 * n, 10 + 10 * n) for n in range(9)]
    assert changed("served model", services) == (
        "the served model changed from m-0 to m-1 after 10 narratives, then to m-2 after 20 narratives, "
        "then to m-3 after 30 narratives, and 5 times more: these answers are of more than one"
    )
