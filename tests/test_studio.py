import json
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from endpoint import answer, completion
from exphub_magics import experiments, prompts, terminal
from exphub_magics.errors import ConfigError, ExphubError, UnknownNameError
from exphub_magics.hub import Hub, drafts
from exphub_magics.specs import Spec
from exphub_magics.tries import outcomes
from exphub_magics.widgets.cases import BEGINNING, listed
from exphub_magics.widgets.studio import studio

PROMPT = "Was V hit or threatened by a partner?"
OTHER = "Does the narrative mention a parking place?"


@pytest.fixture
def run(demo):
    """Run an experiment over ten rows."""

    def run(name="first", prompt=PROMPT, **more):
        with Hub.open("own.db") as hub:
            *_, last = experiments.run(hub, Spec(name, prompts.parse(prompt), data=demo, **more))
        return last.experiment_id

    return run


@pytest.fixture
def slow(scripted):
    endpoint = scripted(lambda body: completion(answer("hit" in body["messages"][-1]["content"])))
    endpoint.served = {"provider": "scripted", "model_name": "m", "base_url": endpoint.url}
    return endpoint


def opened(**more):
    return studio(db="own.db", **more)


def done(panel, text, **more):
    """Try a text and wait for what comes of it."""
    panel.do("try", text=text, **more)
    assert panel.problem == ""
    return panel.wait(30)


def names():
    with Hub.open("own.db") as hub:
        return [row["name"] for row in hub.names()]


def test_a_try_shows_what_moved_and_is_kept(run):
    run()
    panel = opened()
    assert panel.shown["outcome"] is None
    assert panel.shown["parent"]["title"] == "first@1"
    found = done(panel, OTHER)
    shown = panel.shown["outcome"]
    assert shown["cases"][0]["kind"] == "newly wrong"
    assert (shown["title"], shown["against"], shown["verdict"]) == ("first.try@1", "first@1", found.verdict)
    assert panel.shown["case"]["narrative_id"] == shown["cases"][0]["narrative_id"]
    assert (panel.shown["running"], panel.moving) == (False, "")
    assert names() == ["first", "first.try"]
    assert panel.summary.splitlines()[1] == "1 try so far"
    json.dumps(panel.shown)  # what the page gets is plain


def test_a_new_kernel_shows_the_draft_the_tries_and_the_settings(run):
    run()
    panel = opened()
    done(panel, OTHER, sample=5)
    panel.do("draft", text="Was V af")
    again = opened()
    assert (again.shown["text"], again.shown["settings"]["sample"]) == ("Was V af", "5")
    assert again.shown["draft"] is not None
    assert again.shown["outcome"] == panel.shown["outcome"]
    assert [line["version"] for line in again.shown["history"]] == [1]
    again.do("draft", text=PROMPT)  # the parent's own text is no draft
    assert opened().shown["draft"] is None


def test_what_is_wrong_with_a_prompt_is_said_while_it_is_written(run):
    run()
    panel = opened()
    panel.do("draft", text="user:\n{{ narrativ }}")
    assert "did you mean 'narrative'" in panel.shown["check"]["problem"]
    assert panel.problem == ""
    panel.do("try", text="user:\n{{ narrativ }}")
    assert "did you mean 'narrative'" in panel.problem
    assert names() == ["first"]
    panel.do("draft", text=f"{PROMPT} Fear counts.")
    check = panel.shown["check"]
    assert (check["problem"], check["asked"], check["slots"]) == ("", 10, ["narrative", "year"])
    assert check["diff"] == [["same", PROMPT], ["added", " Fear counts."]]
    panel.do("set", settings={"sample": "many"})
    assert panel.problem == "sample is a number, not 'many'"
    panel.do("set", settings={"sample": "3", "seed": "2"})
    assert (panel.problem, panel.shown["check"]["asked"]) == ("", 3)


def begins(panel):
    return [one["gist"] for one in panel.shown["kept"]]


def take(panel, text):
    kept = next(one for one in panel.shown["kept"] if one["gist"] == text)
    panel.do("take", name=kept["name"], digest=kept["digest"])


def test_a_text_that_is_put_in_anothers_place_can_be_taken_back(run):
    run()
    panel = opened()
    done(panel, OTHER)
    panel.do("draft", text="half a sent")
    panel.do("edit")
    assert panel.shown["text"] == OTHER
    take(panel, "half a sent")
    assert panel.shown["text"] == "half a sent"
    panel.do("revert")
    assert (panel.shown["text"], panel.shown["check"]["diff"]) == (PROMPT, [])
    assert opened().shown["text"] == PROMPT
    again = opened()
    take(again, "half a sent")
    assert (again.shown["text"], begins(again)) == ("half a sent", [])
    again.do("take", name="another", digest="")
    assert "take it as it is listed now" in again.problem


def test_what_is_typed_is_kept_before_another_text_takes_its_place_or_nothing_is_done(run, monkeypatch):
    monkeypatch.setattr(drafts, "PATIENCE", 0.05)
    run()
    panel = opened()
    panel.do("draft", text="half a sent")
    with closing(sqlite3.connect("own.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        panel.do("revert", text="half a sentence")
        assert "locked" in panel.problem
        assert panel.shown["text"] == "half a sent"
        other.rollback()
    panel.do("revert", text="half a sentence")
    assert (panel.shown["text"], begins(panel)) == (PROMPT, ["half a sentence"])
    panel.do("draft", text="mine")
    done(panel, OTHER)  # from Python, in the place of what was there
    assert begins(panel)[0] == "mine"


def test_a_text_that_has_been_written_on_since_it_was_listed_is_not_taken_for_it(run):
    run()
    one, two = opened(), opened()
    one.do("draft", text="as it was")
    two.do("set", settings={"sample": "5"})
    listed = two.shown["kept"][0]
    one.do("draft", text="as it is")
    two.do("take", name=listed["name"], digest=listed["digest"])
    assert "written on since" in two.problem
    assert (two.shown["text"], begins(two)) == (PROMPT, ["as it is"])


def test_half_a_character_and_a_text_beyond_all_measure_stop_nothing(run):
    run()
    panel = opened()
    panel.do("draft", text="\ud800 x")
    assert (panel.problem, panel.shown["text"]) == ("", "? x")
    panel.do("draft", text="Was V hit? " * 200_000)
    assert "shorten it" in panel.shown["check"]["problem"]
    assert opened().shown["text"] == "Was V hit? " * 200_000


def test_no_text_that_was_put_aside_pushes_out_another(run):
    run()
    panel = opened()
    done(panel, OTHER)
    for text in ("half a sent", "a third", "half a sent", "a fourth"):
        panel.do("draft", text=text)
        for action in ("revert", "edit", "revert"):
            panel.do(action)
    assert begins(panel) == ["a fourth", "half a sent", "a third"]  # and not what a try holds


def test_a_parent_that_was_never_run_is_run_on_the_same_narratives_where_that_costs_nothing(demo):
    panel = opened(data=demo)
    found = done(panel, OTHER, sample=6)
    assert (found.missing, found.against) == (0, "example.parent@1")
    assert names() == ["example.parent", "example.try"]


def test_a_parent_that_has_to_be_paid_is_run_when_that_is_asked_for(demo, slow):
    Path("mine.txt").write_text(PROMPT)
    panel = opened(name="mine.txt", data=demo, **slow.served)
    found = done(panel, OTHER, sample=6)
    assert names() == ["mine.try"]
    assert found.missing == 6
    asked = len(slow.requests)
    assert panel.shown["outcome"]["price"].startswith("about ")
    panel.do("parent")
    found = panel.wait(30)
    assert (found.missing, found.title) == (0, "mine.try@1")
    assert len(slow.requests) > asked


def test_a_try_that_is_stopped_shows_what_it_has_and_another_asks_the_rest(run, slow):
    run(**slow.served)
    panel = opened(concurrency=1)
    asked, slow.delay = len(slow.requests), 0.2
    panel.do("try", text=OTHER)
    assert panel.shown["running"]
    panel.do("try", text=PROMPT)
    assert "is being run" in panel.problem
    while len(slow.requests) < asked + 3:
        time.sleep(0.02)
    panel.do("stop")
    found = panel.wait(30)
    assert 0 < found.finished < 10
    assert panel.shown["outcome"]["state"].startswith("stopped:")
    assert (panel.shown["note"], panel.shown["running"]) == ("", False)
    slow.delay = 0
    assert done(panel, OTHER).finished == 10
    assert names() == ["first", "first.try"]


def test_a_text_that_is_tried_during_a_run_is_kept_and_not_run(run, slow):
    run(**slow.served)
    slow.delay = 0.2
    panel = opened(concurrency=1)
    panel.do("try", text=OTHER, typed=True)
    panel.do("try", text=f"{OTHER} More.", typed=True)
    assert "is being run" in panel.problem
    assert panel.shown["text"] == f"{OTHER} More."  # by which the page knows that it is kept
    with Hub.open("own.db") as hub:
        assert drafts.find(hub, "first@1").text == f"{OTHER} More."
    panel.do("stop")
    panel.wait(30)
    assert names() == ["first", "first.try"]


def test_a_stop_during_the_parents_run_starts_no_try(demo, monkeypatch):
    panel = opened(data=demo)
    said = threading.Event()
    monkeypatch.setattr(panel, "_see", lambda run: [run.wait(30), said.wait(30)])  # looks when both have been
    panel.do("try", text=OTHER, sample=6)
    assert panel.run.name == "example.parent"
    panel.run.wait(30)  # there is nothing left to stop but the try
    panel.do("stop")
    said.set()
    panel.wait(30)
    assert (names(), panel.shown["running"]) == (["example.parent"], False)
    assert done(panel, OTHER, sample=6).against == "example.parent@1"


def test_a_text_that_a_locked_hub_could_not_keep_is_not_shown_as_kept(run, monkeypatch):
    run()
    panel = opened()
    monkeypatch.setattr(drafts, "PATIENCE", 0.05)
    with Hub.open("own.db") as other, other.writing():
        panel.do("draft", text=OTHER)
        assert "locked" in panel.problem
        assert panel.shown["text"] == PROMPT
    panel.do("draft", text=OTHER)
    assert (panel.problem, panel.shown["text"], opened().shown["text"]) == ("", OTHER, OTHER)


def test_a_long_list_holds_some_of_every_kind():
    many = {"newly wrong": 600, "newly right": 200, "wrong as before": 40}
    cases = [
        outcomes.Case(f"{kind} {number}", kind, True, False, None, None, "")
        for kind, n in many.items()
        for number in range(n)
    ]
    shown = listed(cases)
    assert Counter(case.kind for case in shown) == {"newly wrong": 130, "newly right": 130, "wrong as before": 40}
    assert shown == sorted(shown, key=cases.index)
    assert listed(cases[:7]) == cases[:7]


def test_a_run_is_found_again_by_a_studio_that_is_opened_meanwhile(run, slow):
    run(**slow.served)
    slow.delay = 0.2
    panel = opened(concurrency=1)
    panel.do("try", text=OTHER)
    with pytest.raises(TimeoutError, match="still goes on"):
        panel.wait(0.1)
    again = opened()
    assert again.shown["running"]
    again.do("stop")
    assert again.wait(30).finished < 10
    panel.wait(30)


def test_what_ends_a_run_is_said_and_stays_until_the_next(run, slow):
    run(**slow.served)
    slow.script = lambda _body: (401, {"error": {"message": "no"}})
    panel = opened()
    panel.do("try", text=OTHER)
    panel.wait(30)
    assert "refuses the key" in panel.shown["note"]
    panel.do("draft", text=f"{OTHER} More.")
    assert "refuses the key" in panel.shown["note"]


def test_an_earlier_try_is_shown_again_and_can_become_the_parent(run):
    run()
    panel = opened()
    done(panel, OTHER)
    done(panel, "Does the narrative mention a door?")
    panel.do("recall", experiment=2)
    assert (panel.shown["outcome"]["title"], panel.shown["text"]) == (
        "first.try@1",
        "Does the narrative mention a door?",
    )
    panel.do("adopt")
    assert panel.shown["parent"]["title"] == "first.try@1"
    panel.do("recall", experiment=3)
    assert panel.shown["outcome"]["against"] == "first.try@1"
    panel.do("recall", experiment=1)
    assert "none of the tries" in panel.problem


def test_a_narrative_is_shown_from_its_beginning_and_then_whole(demo):
    text = "V argued with a coworker about a parking place. " * 1_000
    demo.loc[demo["narrative_id"] == "4-CME", "narrative"] = text
    panel = opened(data=demo)
    done(panel, OTHER)
    panel.do("look", narrative="4-CME")
    case = panel.shown["case"]
    assert sum(len(piece) for piece, _ in case["parts"]) == BEGINNING
    assert case["left"] == len(text) - BEGINNING
    panel.do("whole")
    assert panel.shown["case"]["left"] == 0
    panel.do("look", narrative="x")
    assert "there is no narrative 'x'" in panel.problem


def test_a_prompt_is_saved_and_never_over_another(run):
    run()
    panel = opened()
    Path("prompts").mkdir()
    Path("prompts/first.txt").write_text("another")
    panel.do("save", name="first", text=OTHER)
    assert panel.shown["saved"]["free"] == "first-2"
    panel.do("save", name="first-2")
    assert panel.shown["saved"] == {"said": "saved as prompts/first-2.txt", "free": None}
    assert Path("prompts/first-2.txt").read_text() == f"{OTHER}\n"
    panel.do("save", name="first-3", text="")
    assert "the prompt is empty" in panel.shown["saved"]["said"]
    assert not Path("prompts/first-3.txt").exists()


def test_it_is_saved_where_the_studio_was_opened(run, monkeypatch):
    run()
    panel = opened()
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    panel.do("save", name="mine", text=OTHER)
    assert Path("../prompts/mine.txt").exists()


def test_a_name_that_is_not_known_makes_no_studio(run):
    run()
    with pytest.raises(UnknownNameError, match="did you mean 'first'"):
        opened(name="frist")
    with pytest.raises(ConfigError):
        opened(name="")


def test_the_verb_opens_the_studio_and_tells_a_terminal_of_it(run, capsys):
    run()
    with pytest.raises(SystemExit) as ended:
        terminal.main(["studio", "first", "--db", "own.db"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0] == "first@1 · builtin rules-1 · frame, 10 narratives of 6 incidents"
    assert said.splitlines()[-1] == "the studio opens in a notebook: %exphub studio first"
    with pytest.raises(SystemExit):
        terminal.main(["studio", "--db", "none.db"])
    assert "there is no hub at none.db" in capsys.readouterr().err


def test_drafts_of_several_parents_do_not_mix(run):
    run()
    run("second", "Was V hit?")
    one, two = opened(name="first"), opened(name="second")
    one.do("draft", text="one")
    two.do("draft", text="two")
    with Hub.open("own.db") as hub:
        assert [drafts.find(hub, f"{name}@1").text for name in ("first", "second")] == ["one", "two"]


def test_a_draft_is_of_one_version_of_its_parent(run):
    run()
    run("first", "Was V hit?")
    one, two = opened(name="first@1"), opened(name="first@2")
    one.do("draft", text="one")
    assert (two.shown["text"], opened(name="first@2").shown["text"]) == ("Was V hit?", "Was V hit?")
    assert opened(name="first@1").shown["text"] == "one"


def test_a_draft_that_was_written_on_after_the_next_version_was_run_is_shown_there(run):
    run()
    panel = opened(name="first")
    panel.do("draft", text="half a sent")
    run("first", "Was V hit?")
    assert [one["later"] for one in opened(name="first").shown["kept"]] == [False]  # it was written before
    panel.do("draft", text="a whole sentence.")
    again = opened(name="first")
    ((kept,), shown) = again.shown["kept"], again.shown["text"]
    assert (shown, kept["gist"], kept["of"], kept["later"]) == ("Was V hit?", "a whole sentence.", "first@1", True)
    take(again, "a whole sentence.")
    assert again.shown["text"] == opened(name="first").shown["text"] == "a whole sentence."


def test_two_studios_on_one_prompt_do_not_overwrite_each_other(run):
    run()
    one, two = opened(), opened()
    one.do("draft", text="one writes this")
    two.do("draft", text="two writes that")
    assert (one.shown["met"], two.shown["met"]) == (False, True)
    assert begins(two) == ["one writes this"]
    one.do("draft", text="one writes this and more")
    assert (one.shown["text"], one.shown["met"]) == ("one writes this and more", True)
    take(two, "one writes this")  # while the other has gone on
    assert {"one writes this and more", "two writes that"} <= set(begins(two))
    two.do("revert")
    assert {"one writes this and more", "two writes that", "one writes this"} <= set(begins(opened()))


def test_a_draft_of_an_earlier_version_is_found(run):
    run()
    with Hub.open("own.db") as hub:
        drafts.write(hub, "first · try", "as it was written", over=None)
        drafts.write(hub, "first · try · before", "and before", over=None)
    panel = opened()
    assert (panel.shown["text"], begins(panel)) == (PROMPT, ["and before", "as it was written"])


def test_a_hub_that_is_gone_is_said_in_the_panel(run):
    run()
    panel = opened()
    panel.create = False
    for file in Path().glob("own.db*"):
        file.unlink()
    panel.do("draft", text="x")
    assert "there is no hub" in panel.problem
    with pytest.raises(ExphubError):
        panel.hub()
