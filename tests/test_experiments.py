import itertools
import json
import sqlite3
from collections import Counter
from dataclasses import replace

import pandas as pd
import pytest

from endpoint import answer, completion
from exphub_magics import cards, datasets, experiments, prompts, specs
from exphub_magics.errors import ConfigError, EndpointError
from exphub_magics.hub import Hub

PROMPT = prompts.parse("Was the decedent hurt or threatened by a partner?")


def spec(demo, endpoint=None, **more):
    served = {"provider": "scripted", "model_name": "m", "base_url": endpoint.url} if endpoint else {}
    return specs.complete(specs.Spec(**{"name": "first", "prompt": PROMPT, "data": demo, **served, **more}))


def go(hub, one, **more):
    *_, last = experiments.run(hub, one, **more)
    return last


def by_words(body):
    text = body["messages"][-1]["content"]
    return completion(answer(any(word in text for word in ("hit", "shoved", "threatened"))))


def rows(hub, experiment):
    return {row["narrative_id"]: (row["status"], row["flag"]) for row in hub.verdicts(experiment)}


def test_a_run_asks_each_narrative_once_and_scores_itself(hub, demo, scripted):
    endpoint = scripted(by_words)
    last = go(hub, spec(demo, endpoint))
    assert (last.state, last.finished, last.asked, last.positives) == ("done", 10, 9, 3)
    assert sorted(endpoint.narratives()) == sorted(text for text in demo["narrative"] if text != "Need LE report")
    stored = hub.experiment(last.experiment_id)
    assert (stored["positives"], stored["negatives"]) == (3, 6)
    assert (stored["false_positives"], stored["false_negatives"]) == (0, 1)
    assert stored["percent_overlap"] == pytest.approx(100 * 7 / 8)
    assert rows(hub, last.experiment_id)["3-LE"] == ("not_evaluable", None)


def test_the_summary_columns_agree_with_a_recount_by_pandas(hub, demo, scripted):
    last = go(hub, spec(demo, scripted(by_words)))
    flags = pd.DataFrame(hub.verdicts(last.experiment_id))[["narrative_id", "flag"]]
    both = flags.merge(demo[["narrative_id", "manual_flag"]])
    both = both[both["flag"].notna() & (both["manual_flag"] != "")].astype({"flag": int, "manual_flag": int})
    stored = hub.experiment(last.experiment_id)
    assert stored["false_negatives"] == ((both["manual_flag"] == 1) & (both["flag"] == 0)).sum()
    assert stored["percent_overlap"] == pytest.approx(100 * (both["manual_flag"] == both["flag"]).mean())


def test_a_finished_experiment_asks_nothing_and_keeps_its_times(hub, demo, scripted):
    endpoint = scripted(by_words)
    first = go(hub, spec(demo, endpoint))
    before = hub.experiment(first.experiment_id)
    again = go(hub, spec(demo, endpoint))
    assert (again.experiment_id, again.asked, len(endpoint.requests)) == (first.experiment_id, 0, 9)
    assert hub.experiment(first.experiment_id) == before


def test_an_answer_known_from_another_experiment_is_not_asked_again(hub, demo, scripted):
    endpoint = scripted(by_words)
    go(hub, spec(demo, endpoint, sample=5))
    asked = len(endpoint.requests)
    last = go(hub, spec(demo, endpoint, name="all"))
    assert len(endpoint.requests) == 9
    assert (last.recalled, last.asked) == (asked, 9 - asked)


def test_narratives_that_are_the_same_question_are_asked_once(hub, demo, scripted):
    demo.loc[5, "narrative"] = demo.loc[0, "narrative"]
    demo.loc[6, "narrative"] = demo.loc[0, "narrative"]
    endpoint = scripted(by_words)
    last = go(hub, spec(demo, endpoint, concurrency=1))
    assert len(endpoint.requests) == last.asked == 8
    assert last.finished == 10
    assert {rows(hub, last.experiment_id)[one] for one in ("1-CME", "3-LE", "4-CME")} == {("ok", 1)}


def test_an_interrupt_keeps_what_is_answered_and_the_next_run_asks_the_rest(hub, demo, scripted):
    endpoint = scripted(by_words)
    course = experiments.run(hub, spec(demo, endpoint, concurrency=1))
    kept = []
    with pytest.raises(KeyboardInterrupt):
        for progress in course:
            if progress.asked:
                kept.append(course.throw(KeyboardInterrupt()))
                next(course)
    assert kept[0].state == "stopped"
    stopped = len(endpoint.requests)
    assert hub.experiment(1)["end_time"] is None or stopped == 9
    last = go(hub, spec(demo, endpoint, concurrency=1))
    assert (last.state, last.finished) == ("done", 10)
    assert len(endpoint.requests) <= 10


def test_an_interrupt_while_progress_is_shown_loses_nothing(hub, demo, scripted):
    endpoint = scripted(by_words)
    (job,) = experiments.prepare([spec(demo, endpoint)])
    shown = []

    def show(progress):
        shown.append(progress)
        if progress.asked and progress.state == "running":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        experiments.follow(hub, job, show)
    assert shown[-1].state == "stopped"
    answered = [one for one, (status, _) in rows(hub, 1).items() if status]
    assert shown[-1].finished == len(answered)


def test_only_what_failed_is_asked_again_and_the_retry_replaces_it(hub, demo, scripted):
    broken = True

    def script(body):
        text = body["messages"][-1]["content"]
        if broken and "heart" in text:
            return 400, {"error": {"message": "too long"}}
        if broken and "lost his job" in text:
            return completion("I think so, maybe.")
        return by_words(body)

    endpoint = scripted(script)
    last = go(hub, spec(demo, endpoint))
    assert last.statuses == {"ok": 7, "failed": 2, "not_evaluable": 1}
    assert dict(cards.scorecard(hub, 1).failures)["2-CME"] == "400: too long"
    broken = False
    asked = len(endpoint.requests)
    last = go(hub, spec(demo, endpoint))
    assert sorted(endpoint.narratives()[asked:]) == sorted(demo.loc[[2, 9], "narrative"])
    assert last.statuses == {"ok": 9, "not_evaluable": 1}
    assert hub.experiment(1)["end_time"] is not None
    assert last.finished == 10


def test_states_named_are_asked_anew_and_the_earlier_replies_stay(hub, demo, scripted):
    said = "salvaged"

    def script(body):
        plain = by_words(body)["choices"][0]["message"]["content"]
        return completion(f"```json\n{plain}\n```" if said == "salvaged" else plain)

    endpoint = scripted(script)
    assert go(hub, spec(demo, endpoint)).statuses["salvaged"] == 9
    said = "ok"
    last = go(hub, spec(demo, endpoint), again=["salvaged"])
    assert (last.asked, last.statuses) == (9, {"ok": 9, "not_evaluable": 1})
    db = sqlite3.connect("hub.db")
    assert db.execute("SELECT asking, count(*) FROM responses GROUP BY 1").fetchall() == [(0, 9), (1, 9)]
    db.close()


def test_a_wrong_key_ends_the_run_at_once_with_one_line(hub, demo, scripted):
    endpoint = scripted(lambda _body: (401, {"error": {"message": "bad key"}}))
    with pytest.raises(EndpointError, match="refuses the key"):
        go(hub, spec(demo, endpoint, concurrency=1))
    assert len(endpoint.requests) == 1
    assert [status for status, _ in rows(hub, 1).values()].count(None) >= 9 - 1


def test_another_prompt_under_the_same_name_is_a_new_version_and_said_aloud(hub, demo, scripted):
    endpoint = scripted(by_words)
    go(hub, spec(demo, endpoint))
    last = go(hub, spec(demo, endpoint, prompt=prompts.parse("Another question?")))
    assert last.experiment_id == 2
    assert "now holds 2 versions" in last.warnings[0]
    other = go(hub, spec(demo, endpoint, name="copy", temperature=0.5))
    assert "run before as 'first'" in other.warnings[0]


def test_a_corrected_label_makes_no_new_experiment_and_no_call(hub, demo, scripted):
    endpoint = scripted(by_words)
    go(hub, spec(demo, endpoint))
    demo.loc[4, "manual_flag"] = "0"
    last = go(hub, spec(demo, endpoint))
    assert (last.experiment_id, len(endpoint.requests)) == (1, 9)
    assert "1 manual flag other than held" in last.warnings[0]
    assert hub.experiment(1)["false_negatives"] == 0


def test_a_changed_text_makes_a_new_experiment_that_asks_only_what_changed(hub, demo, scripted):
    endpoint = scripted(by_words)
    go(hub, spec(demo, endpoint))
    demo.loc[2, "narrative"] = "V was seen at noon."
    last = go(hub, spec(demo, endpoint))
    assert (last.experiment_id, last.asked, last.recalled) == (2, 1, 8)


def test_facts_fill_slots_and_labels_never_do(hub, demo, scripted):
    endpoint = scripted(by_words)
    asked = prompts.parse("user:\n[{{ year }}] {{ narrative }}")
    go(hub, spec(demo, endpoint, prompt=asked))
    assert endpoint.narratives()[0].startswith("[2020] ")
    with pytest.raises(ConfigError, match="a label is never shown"):
        go(hub, spec(demo, endpoint, prompt=prompts.parse("user:\n{{ manual_flag }} {{ narrative }}")))


def test_nothing_is_written_before_a_spec_is_known_to_be_good(tmp_path, demo):
    with Hub.open(tmp_path / "hub.db") as hub:
        with pytest.raises(ConfigError, match="no dataset is named"):
            go(hub, spec(demo, data=None))
        with pytest.raises(ConfigError, match="unknown slot"):
            go(hub, spec(demo, prompt=prompts.parse("user:\n{{ narrative }} {{ yeer }}")))
        assert hub.leaderboard() == []


def test_a_larger_sample_of_a_seed_holds_the_smaller(demo):
    dataset = datasets.read(demo, name="demo")
    for small, large in itertools.pairwise(range(1, 11)):
        assert set(experiments.draw(dataset, small, 7)) < set(experiments.draw(dataset, large, 7))
    assert experiments.draw(dataset, 5, 1) != experiments.draw(dataset, 5, 2)
    with pytest.raises(ConfigError, match="a sample of 11 from 10"):
        experiments.prepare([spec(demo, sample=11)])


def test_a_stratified_sample_holds_each_stratum_in_proportion():
    dataset = datasets.read("sample")
    strata = {one.narrative_id: (dataset.labels.get(one.narrative_id), one.source) for one in dataset.narratives}
    whole = Counter(strata.values())
    drawn: set[str] = set()
    for size in (20, 50, 200, 1119):
        larger = set(experiments.draw(dataset, size, 3, stratified=True))
        assert drawn < larger
        assert len(larger) == size
        drawn = larger
        found = Counter(strata[one] for one in drawn)
        assert all(abs(found[one] - n * size / len(strata)) <= 1 for one, n in whole.items())
    assert experiments.draw(dataset, 50, 1, stratified=True) != experiments.draw(dataset, 50, 2, stratified=True)


def test_the_draw_is_of_the_experiment_and_not_of_its_questions(hub, demo, scripted):
    endpoint = scripted(by_words)
    for stratified in (False, True):
        go(hub, spec(demo, endpoint, sample=9, stratified=stratified))
    assert len(hub.names()) == 2
    assert len(endpoint.requests) <= 9, "a drawn sample's answers serve the other draw too"
    with pytest.raises(ConfigError, match="stratified says how a sample is drawn"):
        specs.complete(spec(demo, endpoint, stratified=True))


def test_repeats_are_experiments_of_their_own_and_asked_anew(hub, demo, scripted):
    endpoint = scripted(by_words)
    for repeat in (1, 2):
        go(hub, spec(demo, endpoint, repeat=repeat))
    assert len(endpoint.requests) == 18


def test_what_ran_is_recorded_without_person_key_or_path(hub, demo, scripted, monkeypatch):
    monkeypatch.setenv("MY_KEY", "canary-key")
    monkeypatch.setenv("USER", "canary-user")
    endpoint = scripted(by_words)
    go(hub, spec(demo, endpoint, api_key_env="MY_KEY", author="Ann"))
    assert endpoint.headers[0]["Authorization"] == "Bearer canary-key"
    stored = hub.experiment(1)
    assert set(json.loads(stored["environment"])) >= {"git_commit", "packages", "python", "exphub"}
    db = sqlite3.connect("hub.db")
    everything = "\n".join(db.iterdump())
    db.close()
    assert "canary" not in everything
    assert str(pd.io.common.os.getcwd()) not in everything


def test_the_builtin_model_answers_without_an_endpoint(hub, demo):
    last = go(hub, spec(demo))
    assert (last.state, last.finished) == ("done", 10)
    assert replace(last, seconds=0.0).statuses["not_evaluable"] == 1


def test_a_label_taken_out_of_the_file_counts_no_more(hub, demo, scripted):
    endpoint = scripted(by_words)
    go(hub, spec(demo, endpoint))
    demo.loc[0, "manual_flag"] = ""
    last = go(hub, spec(demo, endpoint))
    assert "1 manual flag other than held" in last.warnings[0]
    assert cards.scorecard(hub, 1).counts["labelled"] == 8


def test_data_without_a_column_of_flags_take_none_back(hub, demo, scripted):
    endpoint = scripted(by_words)
    go(hub, spec(demo, endpoint))
    last = go(hub, spec(demo.drop(columns="manual_flag"), endpoint))
    assert (last.experiment_id, last.warnings) == (1, ())
    assert cards.scorecard(hub, 1).counts["labelled"] == 9


def test_an_experiment_under_another_name_is_said_to_be_the_one_it_is(hub, demo, scripted):
    endpoint = scripted(by_words)
    go(hub, spec(demo, endpoint))
    last = go(hub, spec(demo, endpoint, name="renamed"))
    assert last.experiment_id == 1
    assert "this is first@1" in last.warnings[0]


def test_a_missing_key_registers_nothing_and_takes_up_nothing(hub, demo, scripted, monkeypatch):
    monkeypatch.setenv("K", "key")
    endpoint = scripted(lambda body: by_words(body) if "heart" not in str(body) else (400, {"error": {"message": "x"}}))
    one = spec(demo, endpoint, api_key_env="K")
    go(hub, one)
    monkeypatch.delenv("K")
    with pytest.raises(EndpointError, match="set the variable K"):
        go(hub, one)
    assert hub.experiment(1)["end_time"] is not None
    with pytest.raises(EndpointError, match="set the variable K"):
        go(hub, spec(demo, endpoint, api_key_env="K", name="other", temperature=1.0))
    assert len(hub.leaderboard()) == 1


def test_an_answer_stands_until_a_new_one_has_come(hub, demo, scripted):
    endpoint = scripted(by_words)
    go(hub, spec(demo, endpoint))
    before = rows(hub, 1)
    endpoint.script = lambda _body: (400, {"error": {"message": "no"}})
    last = go(hub, spec(demo, endpoint), again=["ok"])
    assert (last.asked, last.finished, last.statuses["ok"]) == (9, 10, 9)
    assert rows(hub, 1) == before


def test_a_known_reply_that_could_not_be_read_is_asked_for_anew_and_counted_once(hub, demo, scripted):
    endpoint = scripted(lambda _body: completion("hm"))
    go(hub, spec(demo, endpoint, sample=4))
    last = go(hub, spec(demo, endpoint, name="all"))
    assert last.finished == 10
    assert last.statuses == {"failed": 9, "not_evaluable": 1}


def test_what_a_prompt_gets_wrong_is_listed_with_its_text(hub, demo, scripted):
    go(hub, spec(demo, scripted(by_words)))
    errors = cards.scorecard(hub, 1).errors
    assert errors[["narrative_id", "error"]].to_numpy().tolist() == [["3-CME", "false negative"]]
    assert errors.loc[0, "narrative_text"] == "V told a friend that she was afraid to go home."


def test_a_run_that_was_stopped_gives_its_lease_back_at_once(hub, demo, scripted):
    endpoint = scripted(lambda _body: completion(answer(False)))
    served = {"provider": "scripted", "model_name": "m", "base_url": endpoint.url, "concurrency": 1}
    spec = specs.complete(specs.Spec(name="first", prompt=prompts.parse("Was V hit?"), data=demo, **served))

    def stop(progress):
        if progress.asked and progress.state == "running":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        experiments.follow(hub, experiments.prepare([spec])[0], stop)
    assert hub.under_way() == []


def test_a_spec_from_python_is_checked_as_one_from_a_cell(hub, demo):
    spec = specs.Spec("first", prompts.parse("Was V hurt?"), data=demo, provider="mine", model_name="m")
    with pytest.raises(ConfigError, match="holds a user name or password") as refused:
        list(experiments.run(hub, replace(spec, base_url="http://me:secret@127.0.0.1:1/v1")))
    assert "secret" not in str(refused.value)
    assert hub.names() == []
