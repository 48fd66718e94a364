import json
import re

import pytest

from exphub_magics.cards import pins
from exphub_magics.errors import ConfigError, UnknownNameError
from markup_reader import Page

HOSTILE = "<script>alert(1)</script></td><img src=x onerror=alert(2)>"


@pytest.fixture
def filled(hub):
    """partner@1, partner@2 and strict@1."""
    rows = [{"narrative_id": "a", "incident_id": "a", "source": None, "narrative_text": "V fell.", "facts": "{}"}]
    number = hub.register_dataset(name="rows.csv", sha256="d", columns={}, profile={}, narratives=rows)
    for place, name in enumerate(("partner", "partner", "strict")):
        about = {"name": name, "author": "A", "dataset_id": number, "fingerprint": str(place), "notes": None}
        said = {"settings": {}, "environment": {}}
        hub.register({**about, **said}, prompt=("Is it?", "p"), model=("m", "served"))
    return hub


def test_a_pin_says_where_the_alias_points_with_who_when_and_why(filled):
    told = pins.named(filled, ("partner@1", "baseline"), why="before the new codebook", author="Ann")
    assert (told.now.title, told.now.author, told.now.why) == ("partner@1", "Ann", "before the new codebook")
    first, _, head, row = str(told).splitlines()
    assert re.fullmatch(r"baseline is partner@1 \(pinned \d{4}-\d\d-\d\d by Ann: before the new codebook\)", first)
    assert head.split() == ["experiment", "moved", "(UTC)", "by", "why"]
    assert re.fullmatch(r"partner@1 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +Ann +before the new codebook", row)


def test_a_name_without_a_version_is_pinned_to_the_version_of_that_moment(filled):
    assert pins.named(filled, ("partner", "baseline")).now.title == "partner@2"


def test_an_alias_can_be_pinned_to_where_another_points(filled):
    pins.named(filled, ("strict", "candidate"))
    assert pins.named(filled, ("candidate", "baseline")).now.title == "strict@1"


def test_an_alias_alone_shows_its_history(filled):
    for name in ("partner@1", "strict"):
        pins.named(filled, (name, "baseline"))
    told = pins.named(filled, ("baseline",))
    assert [move.title for move in told.moves] == ["partner@1", "strict@1"]
    assert str(told).startswith("baseline is strict@1 (pinned ")


def test_a_pin_to_where_it_stands_says_already_and_keeps_the_moment(filled):
    first = pins.named(filled, ("strict", "baseline"), why="first")
    again = pins.named(filled, ("strict@1", "baseline"), why="again")
    assert again.moves == first.moves
    assert str(again).startswith("baseline is strict@1 already (pinned ")


def test_a_pin_that_is_taken_back_keeps_its_history(filled):
    pins.named(filled, ("strict", "baseline"))
    told = pins.named(filled, ("baseline",), remove=True, author="Ben", why="too early")
    assert str(told).startswith("baseline stands for no experiment (taken back ")
    assert [(move.title, move.author) for move in told.moves][1:] == [(None, "Ben")]
    assert str(told).splitlines()[-1].startswith("taken back ")
    again = pins.named(filled, ("baseline",), remove=True)
    assert again.moves == told.moves
    assert "already" in str(again)


@pytest.mark.parametrize(
    ("names", "said", "told"),
    [
        ((), {}, "0 words, where a name and an alias"),
        (("a", "b", "c"), {}, "3 words, where a name and an alias"),
        (("strict", "baseline"), {"remove": True}, "write `pin baseline --remove`"),
        ((), {"remove": True}, "write `pin baseline --remove`"),
        (("baseline",), {"why": "so"}, "nothing is moved"),
        (("baseline",), {"author": "Ann"}, "nothing is moved"),
        (("strict", "12"), {}, "'12' is no alias"),
        (("partner@1", "strict"), {}, "'strict' is an experiment's name"),
    ],
)
def test_other_words_are_refused_in_one_line_with_the_next_step(filled, names, said, told):
    with pytest.raises(ConfigError, match=re.escape(told)) as refused:
        pins.named(filled, names, **said)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("remove", [False, True])
def test_an_unknown_alias_is_answered_with_what_there_is(filled, remove):
    with pytest.raises(UnknownNameError, match="there are none yet"):
        pins.named(filled, ("baseline",), remove=remove)
    pins.named(filled, ("strict", "baseline"))
    with pytest.raises(UnknownNameError, match="did you mean 'baseline'"):
        pins.named(filled, ("basline",), remove=remove)
    with pytest.raises(UnknownNameError, match="no experiment is called"):
        pins.named(filled, ("nobody", "baseline"))


def test_the_json_holds_where_it_points_and_each_move(filled):
    pins.named(filled, ("strict", "baseline"), why="so", author="Ann")
    said = json.loads(json.dumps(pins.named(filled, ("baseline",), remove=True, author="Ben").as_json()))
    assert (said["alias"], said["experiment"]) == ("baseline", None)
    told = [(move["experiment"], move["experiment_id"], move["author"], move["why"]) for move in said["moves"]]
    assert told == [("strict@1", 3, "Ann", "so"), (None, None, "Ben", None)]


def test_what_anybody_wrote_is_text(filled):
    told = pins.named(filled, ("strict", "baseline"), why=HOSTILE, author=HOSTILE)
    read = Page(told._repr_html_())
    assert {tag for tag, _ in read.tags} == {"div", "table", "thead", "tbody", "tr", "th", "td"}
    assert read.rows[1][2:] == [HOSTILE, HOSTILE]
    assert f"by {HOSTILE}: {HOSTILE})" in read.words


def test_a_reason_is_one_line_of_what_can_be_shown(filled):
    told = pins.named(filled, ("strict", "baseline"), why=" two\nlines \x1b[31m \ud800", author=" \t")
    assert told.now.why == "two lines [31m"
    assert told.now.author != " \t"
