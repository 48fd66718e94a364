import pytest

import reviewed
from exphub_magics import cli, terminal
from exphub_magics.errors import HubError, UnknownNameError
from exphub_magics.hub import Hub, labels
from exphub_magics.widgets.review import review


@pytest.fixture
def filled(tmp_path):
    """The hub's file."""
    with Hub.open(tmp_path / "hub.db") as hub:
        reviewed.fill(hub)
    return tmp_path / "hub.db"


def opened(file, coder="Ann", **more):
    """2-LE, 2-CME, 4-CME, 1-LE."""
    return review("partner@1", coder=coder, db=file, **more)


def here(panel):
    return panel.shown["item"]["narrative_id"]


def test_a_decision_is_in_the_hub_at_once_and_the_next_narrative_opens(filled):
    panel = opened(filled)
    panel.do("decide", narrative="2-LE", flag=True, note="the lock")
    assert (here(panel), panel.shown["done"], panel.shown["undo"], panel.problem) == ("2-CME", 1, "2-LE", "")
    assert (panel.shown["last"]["word"], panel.shown["last"]["model"]["word"]) == ("yes", "yes")
    with Hub.open(filled) as hub:
        assert labels.decisions(hub, 1, "Ann")["2-LE"].note == "the lock"


def test_a_panel_that_is_opened_anew_goes_on_where_the_last_one_was(filled):
    panel = opened(filled)
    panel.do("decide", narrative="2-LE", flag=True)
    panel.do("decide", narrative="2-CME", unsure=True)
    again = opened(filled)
    assert (here(again), again.shown["done"], again.shown["undo"]) == ("4-CME", 2, "2-CME")
    again.do("undo")
    assert (here(again), again.shown["item"]["word"], again.shown["done"]) == ("2-CME", "undecided", 1)


def test_steps_end_at_the_ends_and_going_back_shows_what_was_decided(filled):
    panel = opened(filled)
    panel.do("step", by=-1)
    assert panel.shown["place"] == 0
    panel.do("decide", narrative="2-LE", flag=False)
    panel.do("step", by=-1)
    assert (here(panel), panel.shown["item"]["word"]) == ("2-LE", "no")
    panel.do("step", by=99)
    assert panel.shown["place"] == 3


def test_when_all_is_decided_the_last_one_stays_open(filled):
    panel = opened(filled)
    for _ in range(4):
        panel.do("decide", narrative=here(panel), flag=True)
    assert (here(panel), panel.shown["done"], panel.shown["total"]) == ("1-LE", 4, 4)


def test_agreement_and_effect_come_when_asked_for_and_follow_the_decisions_until_they_are_hidden(filled):
    panel = opened(filled)
    assert panel.shown["figures"] is None
    panel.do("figures")
    panel.do("decide", narrative="2-LE", flag=True)
    (pair,) = panel.shown["figures"]["pairs"]
    assert (pair["first"], pair["second"], pair["n"], pair["same"]) == ("manual", "Ann", 1, 0)
    assert "1 in dispute" in panel.shown["figures"]["effect"]["summary"]
    panel.do("figures", shown=False)
    assert panel.shown["figures"] is None


def test_what_others_have_said_since_comes_with_a_new_drawing_up(filled):
    panel = opened(filled, queue="disagreements")
    assert (panel.shown["total"], panel.shown["item"]) == (0, None)
    with Hub.open(filled) as hub:
        hub.label(1, {"2-LE": True}, coder="Ben")
    panel.do("again")
    assert (panel.shown["total"], here(panel)) == (1, "2-LE")


def test_a_blind_panel_holds_nothing_hidden_in_what_it_sends_to_the_page(filled):
    panel = opened(filled, blind=True)
    told = str(panel.shown) + panel.summary
    for word in ("manual", "false", "positive", "negative", reviewed.QUOTING):
        assert word not in told.replace("False", ""), word
    narrative = here(panel)
    panel.do("decide", narrative=narrative, flag=True)
    assert panel.shown["last"]["coders"][0]["coder"] == "manual"
    assert panel.shown["item"]["model"] is None


def test_what_cannot_be_done_is_said_and_what_was_shown_stays(filled):
    panel = opened(filled)
    before = panel.shown
    panel.do("decide", narrative="1-CME", flag=True)
    assert (panel.shown, panel.problem[:29]) == (before, "'1-CME' is not in this queue:")
    filled.rename(filled.with_name("moved.db"))
    panel.do("decide", narrative="2-LE", flag=True)
    assert "there is no hub at" in panel.problem
    assert panel.shown == before


def test_what_stands_for_it_in_a_saved_notebook_is_text(filled):
    panel = opened(filled)
    assert repr(panel) == (
        "review of partner@1 by Ann: false positives 2, false negatives 2\n4 narratives, 0 decided, 4 left"
    )
    data = panel._repr_mimebundle_()
    assert (data[0] if isinstance(data, tuple) else data)["text/plain"] == repr(panel)


def test_a_hub_that_is_missing_or_empty_is_one_line(tmp_path):
    with pytest.raises(HubError, match="there is no hub at"):
        review("partner", coder="Ann", db="no.db")
    with Hub.open("empty.db"):
        pass
    with pytest.raises(UnknownNameError, match="there are none yet"):
        review("partner", coder="Ann", db="empty.db")


# --- the verbs --------------------------------------------------------------------------------------------


def test_in_a_terminal_the_queue_is_text_and_json(filled, capsys):
    terminal.main(["review", "partner@1", "--coder", "Ann", "--queue", "fp", "--db", str(filled)])
    assert "2-LE       undecided  false positive" in capsys.readouterr().out
    terminal.main(["review", "partner@1", "--coder", "Ann", "--json", "--db", str(filled)])
    assert '"narratives": 4' in capsys.readouterr().out


def test_labels_come_in_by_the_verb_and_what_is_wrong_with_them_is_one_line(filled, capsys, tmp_path):
    (tmp_path / "second.csv").write_text("narrative_id,flag\n2-LE,1\n")
    terminal.main(["label", "second.csv", "--coder", "Ben", "--db", str(filled)])
    assert capsys.readouterr().out == "Ben on rows.csv: 1 row, 1 new\n"
    (tmp_path / "second.csv").write_text("narrative_id,flag\n9-LE,1\n")
    with pytest.raises(SystemExit, match="1"):
        terminal.main(["label", "second.csv", "--coder", "Ben", "--db", str(filled)])
    assert capsys.readouterr().err.startswith("exphub: second.csv: 9-LE not in rows.csv, so nothing was written:")


def test_a_frame_of_the_notebook_is_a_file_of_labels_and_a_shell_without_kernel_shows_text(filled, shell, monkeypatch):
    monkeypatch.setenv("EXPHUB_DB", str(filled))
    shell.run_cell("import pandas as pd; second = pd.DataFrame({'narrative_id': ['2-LE'], 'flag': [1]})")
    assert shell.run_line_magic("exphub", "label second --coder Ben").new == 1
    told = shell.run_line_magic("exphub", "review partner@1 --coder Ann --queue disagreements")
    assert str(told).splitlines()[0] == "review of partner@1 by Ann: disagreements between coders 1"


def test_the_queues_complete_one_behind_the_other():
    option = next(one for one in cli.review.params if one.name == "kinds")
    offered = [item.value for item in option.shell_complete(None, "fp,f")]
    assert offered == ["fp,fn"]
