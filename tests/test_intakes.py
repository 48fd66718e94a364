import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from endpoint import answer, completion
from exphub_magics import answers, experiments, prompts, rereading, specs
from exphub_magics.errors import ConfigError, DatasetError, LeaseError
from exphub_magics.hub import Hub

PROMPT = prompts.parse("system:\nHurt by a partner in {{ year }}?\nuser:\n{{ narrative }}")


def start(hub, frame, endpoint, *, again=(), **more):
    served = {"provider": "scripted", "model_name": "m", "base_url": endpoint.url}
    spec = specs.complete(specs.Spec(name="first", prompt=PROMPT, data=frame, **{**served, **more}))
    return list(experiments.run(hub, spec, again=again))[-1]


@pytest.fixture
def failed(hub, demo, scripted):
    """An experiment of which one narrative was answered and all others failed, but for the placeholder."""

    def script(body):
        if "shoved" in body["messages"][-1]["content"]:
            return completion(answer(True))
        return 400, {"error": {"message": "no"}}

    endpoint = scripted(script)
    start(hub, demo, endpoint)
    return endpoint


def lines(*rows, name="replies.jsonl"):
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return name


def table(name):
    with closing(sqlite3.connect("hub.db")) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(f"SELECT * FROM {name} ORDER BY rowid")]


def results():
    return {row["narrative_id"]: row for row in table("results")}


def everything():
    with closing(sqlite3.connect("hub.db")) as db:
        return [line for line in db.iterdump() if "leases" not in line]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"temperature": 0.2, "seed": 3, "max_tokens": 400, "reasoning_effort": "low"},
        {"temperature": 0, "repeat": 2, "sample": 4, "seed": 1},
        {"provider": "OpenAI"},
        {"provider": "builtin", "model_name": "rules-1", "base_url": None, "repeat": 3},
    ],
)
def test_a_spec_from_the_hub_puts_the_questions_that_its_run_put(hub, demo, scripted, monkeypatch, more):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    start(hub, demo, scripted(lambda _body: completion(answer(False))), **more)
    spec = rereading.spec_of(hub.experiment(1))
    texts = demo.set_index("narrative_id")["narrative"]
    asked = {spec.question(one, text, {"year": "2020"}).question_hash for one, text in texts.items()}
    hashes = {row["question_hash"] for row in table("responses")}
    assert len(hashes) == more.get("sample", 10) - (not more.get("sample"))
    assert hashes <= asked


def test_an_experiment_whose_questions_would_be_put_otherwise_takes_no_replies(hub, failed):
    with hub.writing() as db:
        db.table("experiments").update(1, {"fingerprint": "an older one"})
    with pytest.raises(ConfigError, match="put its questions otherwise"):
        rereading.bring(hub, 1, "replies.csv")


def test_the_builtin_model_takes_no_other_tools_replies(hub, demo):
    list(experiments.run(hub, specs.Spec(name="first", prompt=PROMPT, data=demo)))
    with pytest.raises(ConfigError, match="run it"):
        rereading.bring(hub, 1, "replies.csv")


def test_open_narratives_take_a_reply_and_where_every_row_went_is_counted(hub, failed):
    file = lines(
        {"id": "1-CME", "reply": answer(True, confidence=0.5)},
        {"id": "2-CME", "reply": f"Here it is: {answer(False)}"},
        {"id": "2-LE", "reply": "It may be so."},
        {"id": "1-LE", "reply": answer(False)},
        {"id": "3-LE", "reply": answer(False)},
        {"id": "9-LE", "reply": answer(False)},
        {"id": "3-CME", "reply": ""},
        {"id": "4-CME", "reply": "yes"},
        {"id": "4-CME", "reply": "no"},
        {"id": "4-LE", "reply": "yes"},
        {"id": "4-LE", "reply": "yes"},
    )
    before = everything()
    foretold = rereading.bring(hub, 1, file)
    assert everything() == before
    found = rereading.bring(hub, 1, file, apply=True)
    assert found.parts == foretold.parts
    assert found.file == {
        "rows": 11,
        "taken": 4,
        "known": 0,
        "answered already": 1,
        "not evaluable": 1,
        "unknown": 1,
        "without id": 0,
        "blank": 1,
        "errors": 0,
        "repeated": 1,
        "contradictory": 2,
    }
    assert found.file["rows"] == sum(found.file.values()) - found.file["rows"]
    assert found.parts[0].kinds == {"failed → ok": 1, "failed → salvaged": 2, "failed for another reason": 1}
    counts, (row,) = found.parts[0].after.counts, hub.leaderboard()
    assert dict(counts) == {key: row[key] for key in counts}
    rows = results()
    assert (rows["1-CME"]["status"], rows["1-CME"]["confidence"], rows["1-CME"]["attempts"]) == ("ok", 0.5, None)
    assert (rows["3-CME"]["status"], rows["4-CME"]["status"]) == ("failed", "failed")


def test_a_run_afterwards_asks_only_what_was_not_brought(hub, demo, failed):
    lines(*({"id": one, "reply": answer(False)} for one in demo["narrative_id"][:6]))
    rereading.bring(hub, 1, "replies.jsonl", apply=True)
    failed.requests.clear()
    failed.script = lambda _body: completion(answer(False))
    last = start(hub, demo, failed)
    assert (last.state, last.finished, last.asked) == ("done", 10, 4)
    assert sorted(failed.narratives()) == sorted(demo["narrative"][6:])


def test_a_second_time_brings_nothing(hub, demo, failed):
    lines(*({"id": one, "reply": answer(False)} for one in demo["narrative_id"]))
    rereading.bring(hub, 1, "replies.jsonl", apply=True)
    before = everything()
    again = rereading.bring(hub, 1, "replies.jsonl", apply=True)
    assert (len(again.moves), again.file["answered already"], again.file["taken"]) == (0, 9, 0)
    assert everything() == before
    assert hub.spending(1)["replies"] == 1, "what another tool has paid for is not paid for here"


def test_a_reply_that_stays_unreadable_is_brought_once(hub, failed):
    lines({"id": "2-LE", "reply": "It may be so."})
    rereading.bring(hub, 1, "replies.jsonl", apply=True)
    before = everything()
    again = rereading.bring(hub, 1, "replies.jsonl", apply=True)
    assert (again.file["known"], len(again.moves)) == (1, 0)
    assert everything() == before
    lines({"id": "2-LE", "reply": answer(False)})
    rereading.bring(hub, 1, "replies.jsonl", apply=True)
    kept = [(row["asking"], row["answer_format"]) for row in table("responses") if row["answer_format"] == "imported"]
    assert kept == [(0, "imported"), (1, "imported")]
    assert results()["2-LE"]["status"] == "ok"


def test_the_output_of_a_batch_is_kept_with_tokens_finish_reason_and_refusal(hub, failed):
    def line(one, content, **more):
        body = completion(content, **more)
        return {"id": f"b-{one}", "custom_id": one, "response": {"status_code": 200, "body": body}, "error": None}

    lines(
        line("1-CME", answer(True)),
        line("2-CME", None, message={"refusal": "I cannot."}),
        line("2-LE", answer(True)[:30], finish_reason="length"),
        {"id": "b-4", "custom_id": "4-CME", "response": {"status_code": 400, "body": {"error": {"message": "no"}}}},
        {"id": "b-5", "custom_id": "4-LE", "response": None, "error": {"code": "expired"}},
    )
    found = rereading.bring(hub, 1, "replies.jsonl", apply=True)
    assert (found.file["taken"], found.file["errors"]) == (3, 2)
    rows = results()
    assert [rows[one]["status"] for one in ("1-CME", "2-CME", "2-LE")] == ["ok", "refused", "failed"]
    assert rows["2-LE"]["error"] == "cut off at max_tokens: raise it"
    kept = [row for row in table("responses") if row["answer_format"] == "imported"]
    assert [(row["finish_reason"], row["refusal"]) for row in kept] == [
        ("stop", None),
        ("stop", "I cannot."),
        ("length", None),
    ]
    assert {(row["prompt_tokens"], row["served_model"], row["attempts"], row["seconds"]) for row in kept} == {
        (100, "scripted-1", 0, None)
    }


def test_narratives_that_are_one_question_have_one_reply(hub, scripted):
    endpoint = scripted(lambda _body: (400, {"error": {"message": "no"}}))
    frame = pd.DataFrame({"narrative_id": ["1", "2"], "narrative": ["V was hit."] * 2, "year": ["2020"] * 2})
    start(hub, frame, endpoint)
    lines({"id": "1", "reply": answer(True)}, {"id": "2", "reply": answer(False)})
    found = rereading.bring(hub, 1, "replies.jsonl", apply=True)
    assert (found.file["taken"], found.file["known"], len(table("responses"))) == (1, 1, 1)
    assert [row["flag"] for row in results().values()] == [1, 1]


def test_narratives_that_are_one_question_fail_for_one_reason(hub, scripted):
    endpoint = scripted(lambda _body: (400, {"error": {"message": "no"}}))
    frame = pd.DataFrame({"narrative_id": ["1", "2"], "narrative": ["V was hit."] * 2, "year": ["2020"] * 2})
    start(hub, frame, endpoint)
    lines({"id": "1", "reply": "It may be so."}, {"id": "2", "reply": answer(False)})
    rereading.bring(hub, 1, "replies.jsonl", apply=True)
    assert {row["error"] for row in results().values()} == {"no answer object"}


def test_a_reply_that_the_hub_has_stays(hub, scripted):
    endpoint = scripted(lambda _body: completion(answer(True)))
    frame = pd.DataFrame({"narrative_id": ["1", "2"], "narrative": ["V was hit.", "V slept."], "year": ["2020"] * 2})
    start(hub, frame[:1], endpoint)
    endpoint.script = lambda _body: (400, {"error": {"message": "no"}})
    stream = experiments.run(
        hub,
        specs.Spec(name="first", prompt=PROMPT, data=frame, provider="scripted", model_name="m", base_url=endpoint.url),
    )
    next(stream)
    stream.close()
    lines({"id": "1", "reply": answer(False)}, {"id": "2", "reply": answer(False)})
    found = rereading.bring(hub, 2, "replies.jsonl", apply=True)
    assert (found.file["known"], found.file["taken"]) == (1, 1)
    assert {row["narrative_id"]: row["flag"] for row in hub.verdicts(2)} == {"1": 1, "2": 0}
    assert hub.leaderboard()[1]["state"] == "done"
    assert found.parts[0].kinds == {"pending → ok": 2}


def test_an_experiment_that_is_being_run_takes_no_replies(hub, failed):
    lines({"id": "1-CME", "reply": answer(False)})
    with Hub.open("hub.db") as other, other.lease(1, "B"):
        before = results()
        assert len(rereading.bring(hub, 1, "replies.jsonl").moves) == 1
        with pytest.raises(LeaseError, match="first@1 is being run by B"):
            rereading.bring(hub, 1, "replies.jsonl", apply=True)
        assert results() == before
    assert len(rereading.bring(hub, 1, "replies.jsonl", apply=True).moves) == 1


def test_a_file_that_holds_the_narratives_is_refused(hub, demo, failed):
    demo[["narrative_id", "narrative"]].rename(columns={"narrative": "text"}).to_csv("texts.csv", index=False)
    before = everything()
    with pytest.raises(DatasetError, match="column 'text' holds the narratives and no replies"):
        rereading.bring(hub, 1, "texts.csv", apply=True)
    assert everything() == before


def test_what_is_brought_can_be_read_anew_as_any_reply(hub, failed, monkeypatch):
    lines({"id": "2-CME", "reply": f"```json\n{answer(False)}\n```"})
    rereading.bring(hub, 1, "replies.jsonl", apply=True)
    old = answers.parse
    monkeypatch.setattr(answers, "parse", lambda *said, **more: replace(old(*said, **more), status="ok", error=None))
    assert list(rereading.reread(hub, [1], apply=True).moves["narrative_id"]) == ["2-CME"]
