import json

import pytest

import browsed
from exphub_magics.errors import ConfigError, HubError
from exphub_magics.hub import Hub
from exphub_magics.widgets import browse as panels
from exphub_magics.widgets.browse import Browse, browse


@pytest.fixture
def filled(hub):
    return browsed.fill(hub)


@pytest.fixture
def panel(filled, tmp_path):
    return browse("partner@1", db=tmp_path / "hub.db")


def listed(panel):
    return [row["narrative_id"] for row in panel.shown["list"]["rows"]]


def test_it_opens_on_the_latest_experiment_or_the_one_named(filled, tmp_path):
    assert browse(db=tmp_path / "hub.db").shown["title"] == "drawn@1"
    assert browse("partner@1", db=tmp_path / "hub.db", outcome="fn").shown["list"]["n"] == 1


def test_what_is_shown_is_plain_json(panel):
    panel.do("open", narrative="1-LE")
    assert json.loads(json.dumps(panel.shown)) == panel.shown


def test_from_the_leaderboard_to_one_narrative(panel):
    panel.do("choose", experiment=2)
    assert panel.shown["title"] == "partner@2"
    panel.do("filter", outcome="fp")
    assert listed(panel) == ["2-CME", "2-LE"]
    panel.do("open", narrative="2-CME")
    assert (panel.shown["finding"]["narrative_id"], panel.shown["finding"]["at"]) == ("2-CME", 0)
    panel.do("step", by=1)
    assert panel.shown["finding"]["narrative_id"] == "2-LE"
    panel.do("step", by=1)
    assert panel.shown["finding"]["narrative_id"] == "2-LE", "the end of the list holds"
    panel.do("step", by=-5)
    assert panel.shown["finding"]["narrative_id"] == "2-CME"
    panel.do("leave")
    assert panel.shown["finding"] is None
    assert panel.problem == ""


def test_the_line_opens_the_same_again(panel, tmp_path):
    panel.do("filter", against=2, flips="any", confidence=["0.5", ""], order="surest", search="  she   was ")
    panel.do("open", narrative="2-CME")
    said = panel.shown["place"]
    assert said["search"] == "she was"
    again = browse(
        "partner@1",
        db=tmp_path / "hub.db",
        against="partner@2",
        flips="any",
        confidence=(0.5, 1),
        order="surest",
        search="she was",
        narrative="2-CME",
    )
    assert again.shown == {**panel.shown, "place": again.shown["place"]}
    assert again.shown["line"] == panel.shown["line"]


def test_another_experiment_keeps_the_narrative_and_not_the_outcome(panel):
    panel.do("filter", outcome="fn")
    panel.do("open", narrative="1-LE")
    panel.do("choose", experiment=2)
    assert panel.shown["finding"]["narrative_id"] == "1-LE"
    assert (panel.shown["place"]["outcome"], panel.shown["list"]["n"]) == (None, 12)
    panel.do("choose", experiment=4)
    assert panel.shown["finding"] is None, "the drawn sample does not ask about it"


def test_what_is_compared_with_is_never_the_experiment_itself(panel):
    panel.do("filter", against=2, flips="wrong")
    panel.do("choose", experiment=2)
    assert (panel.shown["place"]["against"], panel.shown["place"]["flips"]) == (None, None)
    panel.do("filter", against=1)
    panel.do("filter", flips="right")
    assert listed(panel) == ["1-LE"]
    panel.do("filter", against=None)
    assert panel.shown["place"]["flips"] is None


def test_a_filter_closes_the_narrative_that_it_does_not_leave(panel):
    panel.do("open", narrative="1-LE")
    panel.do("filter", source="LE")
    assert panel.shown["finding"]["narrative_id"] == "1-LE"
    panel.do("filter", source="CME")
    assert panel.shown["finding"] is None


def test_a_narrative_outside_the_list_can_be_read_and_the_next_is_the_first(panel):
    panel.do("filter", outcome="fn")
    panel.do("open", narrative="1-CME")  # of the same incident
    assert panel.shown["finding"]["at"] is None
    panel.do("step", by=1)
    assert panel.shown["finding"]["narrative_id"] == "1-LE"
    panel.do("filter", outcome="tp", search="zebra")
    panel.do("step", by=1)
    assert (panel.shown["list"]["n"], panel.shown["finding"], panel.problem) == (0, None, "")


def test_pages_turn_within_the_list_and_the_open_narrative_is_on_its_page(hub, tmp_path):
    number = browsed.dataset(hub, {f"{one}-LE": (True, "Text.") for one in range(120)})
    browsed.experiment(hub, "first", number, {})
    panel = browse(db=tmp_path / "hub.db", narrative="70-LE")
    assert (panel.shown["list"]["page"], panel.shown["list"]["pages"]) == (1, 3)
    panel.do("page", page=9)
    assert (panel.shown["list"]["page"], len(listed(panel))) == (2, 20)
    panel.do("page", page=-1)
    assert panel.shown["list"]["page"] == 0
    assert panel.shown["finding"]["narrative_id"] == "70-LE"
    panel.do("step", by=1)
    assert (panel.shown["list"]["page"], panel.shown["finding"]["narrative_id"]) == (1, "71-LE")


def test_a_long_text_comes_when_it_is_asked_for_and_goes_with_its_narrative(hub, tmp_path):
    number = browsed.dataset(hub, {"1-CME": (True, "word " * 200_000), "1-LE": (True, "Text.")})
    browsed.experiment(hub, "first", number, {})
    panel = browse(db=tmp_path / "hub.db")
    assert len(json.dumps(panel.shown)) < 10_000
    panel.do("open", narrative="1-CME")
    assert len(json.dumps(panel.shown)) < 40_000
    panel.do("whole")
    assert len(json.dumps(panel.shown)) > 1_000_000
    panel.do("step", by=1)
    assert len(json.dumps(panel.shown)) < 10_000


def test_what_cannot_be_done_is_said_and_what_was_shown_stays(panel):
    before = panel.shown
    for action, said, problem in (
        ("filter", {"confidence": ["0.9", "0.1"]}, "the lower one first"),
        ("filter", {"confidence": ["much", ""]}, "'much' is no number"),
        ("filter", {"search": "x" * 400}, "300 characters"),
        ("filter", {"outcome": "fpp"}, "unknown outcome"),
        ("open", {"narrative": "99"}, "no narrative '99'"),
        ("choose", {"experiment": 99}, "another hub now"),
    ):
        panel.do(action, **said)
        assert problem in panel.problem
        assert panel.shown == before
    panel.do("filter", outcome="fn")
    assert panel.problem == ""


def test_a_hub_that_has_gone_is_said(panel, filled, tmp_path):
    filled.close()
    for file in tmp_path.glob("hub.db*"):
        file.unlink()
    panel.do("filter", outcome="fn")
    assert "hub.db" in panel.problem
    with Hub.open(tmp_path / "hub.db") as other:
        number = browsed.dataset(other, {"1-CME": (True, "Text.")})
        assert number == 1
    panel.do("filter", outcome="fn")
    assert "another hub" in panel.problem


def test_a_missing_or_empty_hub_is_answered_in_a_line(tmp_path, hub):
    with pytest.raises(HubError, match="there is no hub at none"):
        browse(db="none.db")
    with pytest.raises(ConfigError, match="holds no experiment yet"):
        browse(db=tmp_path / "hub.db")


def test_results_that_come_meanwhile_are_seen_with_the_next_look(panel, filled):
    assert panel.shown["grid"]["rows"][2]["cells"][2]["n"] == 1
    filled.record(1, [{"narrative_id": "7-CME", "status": "ok", "flag": True}])
    panel.do("filter", outcome="pending")
    assert panel.shown["list"]["n"] == 0
    panel.do("choose", experiment=1)
    assert panel.shown["grid"]["rows"][2]["cells"][2]["n"] == 0


def test_what_stays_of_it_is_a_summary_without_any_narrative(panel):
    panel.do("filter", outcome="fn")
    told = "partner@1: FN, not flagged and manual yes, 1 of 12 narratives\n%exphub browse partner@1 --outcome fn"
    assert repr(panel) == told
    data = panel._repr_mimebundle_()
    assert (data[0] if isinstance(data, tuple) else data)["text/plain"] == told
    panel.do("filter", search="afraid to go home")
    assert repr(panel) == told.replace("yes, 1", "yes; a search, 0")
    assert "afraid to go home" in panel.shown["line"]  # which the page has


def test_every_action_of_the_page_is_there():
    page = panels.page("browse")
    for action, method in Browse.actions.items():
        assert callable(getattr(Browse, method))
        assert f'ask("{action}"' in page
    assert "innerHTML" not in page
    assert "http" not in page
