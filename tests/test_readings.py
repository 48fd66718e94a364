import pytest

from exphub_magics.hub import Hub, readings
from exphub_magics.questions import Reply

IDS = [f"n{number}" for number in range(7)]
FIELDS = Reply.__dataclass_fields__


@pytest.fixture
def filled(hub):
    """Seven narratives, of which all but the last have a result, and all but the last two a reply."""
    dataset = hub.register_dataset(
        name="rows.csv",
        sha256="d",
        columns={},
        profile={},
        narratives=[
            {"narrative_id": one, "incident_id": one, "source": None, "narrative_text": one, "facts": "{}"}
            for one in reversed(IDS)
        ],
    )
    hub.label(dataset, {"n0": True, "n1": False}, coder="manual")
    hub.label(dataset, {"n0": True, "n1": True}, coder="second")
    about = {"name": "first", "author": "A", "dataset_id": dataset, "fingerprint": "f", "notes": None}
    hub.register({**about, "settings": {}, "environment": {}}, prompt=("Is it?", "p"), model=("m", "x"))
    said = {"status": "ok", "flag": False, "rational": "r", "reasoning_steps": "[]", "confidence": 0.5, "reader": "1"}
    hub.record(
        1,
        [{"narrative_id": one, **said, "request_hash": one} for one in IDS[:5]]
        + [{"narrative_id": "n5", "status": "failed", "flag": None}],
        [
            {"request_hash": one, "question_hash": one, **{name: getattr(Reply(one), name) for name in FIELDS}}
            for one in IDS[:5]
        ],
    )
    return hub


@pytest.mark.parametrize("size", [1, 2, 5, 500])
def test_results_with_a_reply_come_in_pages_each_once(filled, size):
    pages = list(readings.replied(filled, 1, size=size))
    assert [row["narrative_id"] for page in pages for row in page] == IDS[:5]
    assert max(map(len, pages)) == min(size, 5)


@pytest.mark.parametrize("size", [1, 3, 7, 500])
def test_each_narrative_stands_once_with_the_flag_that_its_coders_agree_on(filled, size):
    rows = list(readings.standing(filled, 1, size=size))
    assert [(row["narrative_id"], row["status"], row["manual_flag"]) for row in rows] == [
        ("n0", "ok", 1),
        *((one, "ok", None) for one in IDS[1:5]),
        ("n5", "failed", None),
        ("n6", None, None),
    ]


def test_a_drawn_sample_stands_alone(filled):
    about = {"name": "drawn", "author": "A", "dataset_id": 1, "fingerprint": "g", "notes": None}
    about |= {"settings": {}, "environment": {}}
    filled.register(about, prompt=("Is it?", "p"), model=("m", "x"), selected=["n4", "n0"])
    rows = list(readings.standing(filled, 2, size=1))
    assert [(row["narrative_id"], row["status"], row["manual_flag"]) for row in rows] == [
        ("n0", None, 1),
        ("n4", None, None),
    ]


def test_replies_are_found_by_their_hash(filled):
    (page,) = readings.replied(filled, 1)
    assert {one: reply.body for one, reply in readings.replies(filled, page).items()} == {one: one for one in IDS[:5]}


def test_what_is_replaced_is_appended_and_keeps_its_place(filled):
    (page,) = readings.replied(filled, 1)
    row = page[1]
    for flag, reader in ((True, "2"), (None, "3")):
        status = "ok" if flag else "failed"
        readings.replace(filled, 1, [{**row, "flag": flag, "status": status, "reader": reader}])
    (after,) = readings.replied(filled, 1)
    assert (after[1]["id"], after[1]["reader"], after[1]["flag"]) == (row["id"], "3", None)
    assert [one for one in after if one["narrative_id"] != "n1"] == [one for one in page if one != row]
    kept = readings.earlier(filled, after)
    assert {one: [(held["reader"], held["flag"]) for held in rows] for one, rows in kept.items()} == {
        "n1": [("1", 0), ("2", 1)]
    }
    assert readings.readers(filled, 1) == [
        {"reader": "1", "current": 4, "earlier": 1},
        {"reader": "2", "current": 0, "earlier": 1},
        {"reader": "3", "current": 1, "earlier": 0},
    ]


def test_delivered_ids_are_found_among_the_narratives_of_the_experiment_alone(filled):
    found = readings.delivered(filled, 1, ["n5", "n6", "n9"])
    assert {one: row["status"] for one, row in found.items()} == {"n5": "failed", "n6": None}


def test_an_empty_hub_has_no_pages():
    with Hub.open(":memory:") as hub:
        assert (list(readings.replied(hub, 1)), list(readings.standing(hub, 1))) == ([], [])
