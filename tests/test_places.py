import json
import shlex

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.utils.text import DollarFormatter

import browsed
from exphub_magics import cli, figures, terminal
from exphub_magics.browsing import places
from exphub_magics.browsing.places import Place
from exphub_magics.cli import options
from exphub_magics.errors import ConfigError, UnknownNameError
from exphub_magics.hub import Hub, selections
from exphub_magics.hub.selections import Selection


@pytest.fixture
def filled(hub):
    return browsed.fill(hub)


def said_by(words):
    """What the verb's words say, as the verb itself reads them."""
    command = cli.cli.commands["browse"]
    with command.make_context("browse", words[1:], obj=options.Session()) as context:
        return context.params


# --- which place ------------------------------------------------------------------------------------------


def test_without_a_name_it_is_the_latest_experiment(filled):
    assert places.place(filled).experiment == 4
    assert places.place(filled, "partner").experiment == 2
    assert places.place(filled, "partner@1", narrative="1-LE").narrative == "1-LE"


def test_a_hub_without_experiments_says_the_next_step(hub):
    with pytest.raises(ConfigError, match="holds no experiment yet: run a cell"):
        places.place(hub)


def test_what_is_not_there_is_answered_in_a_line(filled):
    for name, said, error in (
        ("partnr", {}, "did you mean 'partner'?"),
        ("partner@1", {"against": "strct"}, "did you mean 'strict'?"),
        ("partner@1", {"against": "partner@1"}, "another one"),
        ("partner@1", {"narrative": "99"}, "has no narrative '99'"),
        ("partner@1", {"outcome": "fpn"}, "unknown outcome"),
    ):
        with pytest.raises((ConfigError, UnknownNameError), match=error.replace("?", r"\?")):
            places.place(filled, name, **said)


# --- the line that leads there ----------------------------------------------------------------------------

WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=12) | st.text(
    "$'{}a. -\"", max_size=9
)


@settings(max_examples=150)
@given(
    outcome=st.none() | st.sampled_from(list(selections.OUTCOMES)),
    flips=st.none() | st.sampled_from(selections.FLIPS),
    source=st.none() | WORDS,
    search=WORDS,
    bounds=st.none() | st.tuples(st.integers(0, 50), st.integers(50, 100)),
    order=st.sampled_from(selections.ORDERS),
    narrative=st.none() | WORDS.filter(bool),
    title=WORDS.filter(str.strip),
)
def test_the_line_leads_to_the_place_itself(title, narrative, bounds, search, **said):
    confidence = bounds and (bounds[0] / 100, bounds[1] / 100)
    search = " ".join(search.split())
    place = Place(Selection(1, against=2, confidence=confidence, search=search, **said), narrative)
    line = places.magic(place, {1: f"{title}@1", 2: "other@2"})
    assert line.startswith("%exphub ")
    read = DollarFormatter().vformat(line.removeprefix("%exphub "), [], {})  # as IPython reads a magic's line
    found = said_by(shlex.split(read))
    assert found["name"] == f"{title}@1"
    assert found["against"] == "other@2"
    assert (found["narrative"], found["source"], found["search"]) == (narrative, said["source"], search or None)
    assert (found["confidence"], found["flips"]) == (confidence, said["flips"])
    assert (found["outcome"] or "").replace("-", "_") == (said["outcome"] or "")
    assert found["order"] in (said["order"], None)


def test_an_id_with_a_line_break_leaves_a_line_that_can_be_run():
    line = places.magic(Place(Selection(1), "a\nb"), {1: "first@1"})
    assert line == "%exphub browse first@1"


# --- what is to be seen there -----------------------------------------------------------------------------


def test_the_grid_has_the_cells_of_the_chart(filled):
    counts = selections.counts(filled, 1)
    grid = places.grid(counts)
    chart = figures.confusion(counts)
    assert [[cell["n"] for cell in row["cells"]] for row in grid["rows"]] == list(chart.data[0].z)
    assert grid["columns"] == list(chart.data[0].x)
    assert [row["name"] for row in grid["rows"]] == list(chart.data[0].y)
    tints = [cell["tint"] for row in grid["rows"] for cell in row["cells"]]
    assert tints == [shape.fillcolor for shape in chart.layout.shapes]


def test_each_choice_of_an_outcome_says_how_many_it_leaves(filled):
    found = places.outcomes(selections.counts(filled, 1))
    assert found[:3] == [
        ["wrong", "wrong: FP and FN", 3],
        ["fp", "FP, flagged and manual no", 2],
        ["fn", places.WORDS["fn"], 1],
    ]
    assert set(places.WORDS) == set(selections.OUTCOMES)


def test_the_board_has_the_points_of_each_experiment(filled):
    board = places.board(filled, 1)
    assert [(row["title"], row["answered"]) for row in board["rows"]] == [
        ("drawn@1", "2 of 4"),
        ("strict@1", "5 of 5"),
        ("partner@2", "6 of 12"),
        ("partner@1", "8 of 12"),
    ]
    assert board["rows"][3] | {"precision": ".50", "recall": ".67", "f1": ".57"} == board["rows"][3]
    assert board["rows"][1]["precision"] == "–"
    assert board["left"] == 0


def test_a_list_says_what_became_of_each_narrative(filled):
    place = Place(Selection(1, against=2))
    rows = places.rows(filled, place, selections.positions(filled, place.selection), 0)
    assert [(row["narrative_id"], row["outcome"]) for row in rows] == [
        ("1-CME", "TP"),
        ("1-LE", "FN"),
        ("2-CME", "TN"),
        ("2-LE", "FP"),
        ("3-CME", "failed"),
        ("3-LE", "not evaluable"),
        ("4-CME", "FP, salvaged"),
        ("4-LE", "TP"),
        ("5-CME", "refused"),
        ("6-CME", "unlabelled"),
        ("6-LE", "unlabelled"),
        ("7-CME", "pending"),
    ]
    assert [rows[1][name] for name in ("manual_flag", "flag", "other", "confidence")] == ["yes", "no", "yes", ".60"]
    assert rows[4]["beginning"] == "why failed"


def test_a_page_of_a_list_is_fifty_narratives(hub):
    number = browsed.dataset(hub, {f"{one}-LE": (True, "Text.") for one in range(120)})
    browsed.experiment(hub, "first", number, {})
    chosen = selections.positions(hub, Selection(1))
    assert [len(places.rows(hub, Place(Selection(1)), chosen, page)) for page in range(4)] == [50, 50, 20, 0]


# --- a terminal -------------------------------------------------------------------------------------------


def test_a_terminal_lists_what_is_wrong_and_says_where_to_read_it(filled):
    listing = places.seen(filled, places.place(filled, "partner@1"))
    first, head, *rows, last = str(listing).splitlines()
    assert first == "partner@1: wrong: FP and FN, 3 of 12 narratives"
    assert head.split() == ["narrative", "source", "manual", "flag", "confidence", "outcome", "rational"]
    assert [row.split()[0] for row in rows] == ["1-LE", "2-LE", "4-CME"]
    assert last == "In a notebook, with the texts: %exphub browse partner@1 --outcome wrong"
    assert [row["narrative_id"] for row in json.loads(json.dumps(listing.as_json()))] == ["1-LE", "2-LE", "4-CME"]


def test_a_terminal_lists_what_is_asked_for(filled):
    listing = places.seen(filled, places.place(filled, "partner@2", against="partner@1", flips="wrong", order="surest"))
    assert str(listing).startswith("partner@2: newly wrong against partner@1, 2 of 12 narratives\n")
    none = places.seen(filled, places.place(filled, "partner@2", search="zebra"))
    assert str(none).startswith("partner@2: “zebra”, 0 of 12 narratives\nIn a notebook")
    assert str(places.seen(filled, places.place(filled, "partner@1", narrative="1-LE"))).startswith("1-LE · LE")


def test_a_long_list_is_short_in_a_terminal(hub):
    number = browsed.dataset(hub, {f"{one}-LE": (True, "Text.") for one in range(120)})
    browsed.experiment(hub, "first", number, {f"{one}-LE": ("ok", False, 0.5) for one in range(120)})
    shown = str(places.listing(hub, places.place(hub))).splitlines()
    assert len(shown) == places.LISTED + 4
    assert shown[-2] == "… and 100 more"


def test_the_verb_prints_the_list_and_an_error_in_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("EXPHUB_DB", str(tmp_path / "new.db"))
    with Hub.open() as hub:
        browsed.fill(hub)
    with pytest.raises(SystemExit) as none:
        terminal.main(["browse", "nobody"])
    assert none.value.code == 1
    assert capsys.readouterr().err.count("\n") == 1
    terminal.main(["browse", "partner@1", "--outcome", "FN"])
    assert capsys.readouterr().out.startswith("partner@1: FN, not flagged and manual yes, 1 of 12 narratives\n")
    terminal.main(["browse", "partner@1", "--narrative", "1-LE", "--json"])
    assert json.loads(capsys.readouterr().out)["narrative_id"] == "1-LE"


def test_a_shell_without_a_kernel_shows_the_same(filled, shell, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("EXPHUB_DB", str(tmp_path / "hub.db"))
    for line in ("browse partner@1 --outcome fn", "browse partner@1 --narrative 1-LE"):
        shell.run_cell(f"%exphub {line}")
        assert capsys.readouterr().out.split("]: ", 1)[-1].strip().startswith(("partner@1: FN", "1-LE · LE"))


def test_the_verb_knows_every_outcome_and_completes_it():
    (outcome,) = [one for one in cli.cli.commands["browse"].params if one.name == "outcome"]
    assert isinstance(outcome.type, click.Choice)
    assert {one.replace("-", "_") for one in outcome.type.choices} == set(selections.OUTCOMES)
