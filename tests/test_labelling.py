import pandas as pd
import pytest

import browsed
import reviewed
from exphub_magics.errors import ConfigError, DatasetError, UnknownNameError
from exphub_magics.hub import labels
from exphub_magics.reviewing import labelling


@pytest.fixture
def filled(hub):
    return reviewed.fill(hub)


def frame(**columns):
    return pd.DataFrame(columns)


def read(hub, table, **more):
    return labelling.label(hub, table, **{"coder": "Ann", **more})


def words(hub, coder="Ann"):
    return {one: said.word for one, said in labels.decisions(hub, 1, coder).items()}


def test_each_row_is_counted_as_what_became_of_it(filled):
    first = read(filled, frame(narrative_id=["1-LE", "2-LE", "2-CME"], flag=["yes", "0", "?"]))
    assert (first.new, first.changed, first.same) == (3, 0, 0)
    assert words(filled) == {"1-LE": "yes", "2-LE": "no", "2-CME": "unsure"}
    ids = ["1-LE", "2-LE", "2-CME", "4-CME", "1-CME", "4-CME"]
    again = read(filled, frame(narrative_id=ids, flag=["TRUE", "1", "", "no", "n/a", "no"]))
    assert again.as_json() == {
        "dataset": "rows.csv",
        "coder": "Ann",
        "rows": 6,
        "new": 1,
        "changed": 1,
        "same": 1,
        "blank": 2,
        "repeated": 1,
        "unknown": 0,
        "named": [],
    }
    assert words(filled) == {"1-LE": "yes", "2-LE": "yes", "2-CME": "unsure", "4-CME": "no"}
    assert str(again) == "Ann on rows.csv: 6 rows, 1 new, 1 changed, 1 same, 2 blank, 1 repeated"


def test_experiments_are_scored_anew_and_a_note_is_kept(filled):
    read(filled, frame(narrative_id=["5-CME"], Label=["1"], Comment=["the letter"]))
    assert filled.experiment(1)["percent_overlap"] == filled.leaderboard()[0]["percent_overlap"]
    assert filled.leaderboard()[0]["tp"] == 2
    assert labels.trail(filled, 1, "5-CME")[0]["note"] == "the letter"


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".xlsx", ".jsonl", ".parquet"])
def test_files_of_each_kind_are_read(filled, tmp_path, suffix):
    table, file = frame(Narrative_ID=["1-LE", "2-LE"], manual_flag=["1", "0"]), tmp_path / f"second{suffix}"
    write = {
        ".csv": lambda: table.to_csv(file, index=False),
        ".tsv": lambda: table.to_csv(file, index=False, sep="\t"),
        ".xlsx": lambda: table.to_excel(file, index=False),
        ".jsonl": lambda: table.to_json(file, orient="records", lines=True),
        ".parquet": lambda: table.to_parquet(file),
    }
    write[suffix]()
    assert read(filled, file).new == 2


def test_an_incident_and_a_source_are_an_id(filled):
    read(filled, frame(IncidentID=[1, 2], narrative_type=["LE", "LE"], flag=[1, 0]))
    assert words(filled) == {"1-LE": "yes", "2-LE": "no"}


def test_what_the_names_do_not_say_is_said_by_columns(filled):
    table = frame(case=["1-LE"], flag=["x"], ipv=["1"])
    assert read(filled, table, columns="narrative_id=case,flag=ipv").new == 1
    with pytest.raises(UnknownNameError, match="did you mean 'case'"):
        read(filled, table, columns="narrative_id=cases,flag=ipv")
    with pytest.raises(DatasetError, match="a file of labels has no 'text'"):
        read(filled, table, columns="text=case")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            frame(narrative_id=["1-LE", "9-LE"], flag=[1, 1]),
            "9-LE not in rows.csv, .* --skip-unknown takes the other 1",
        ),
        (frame(narrative_id=["8-LE", "9-LE"], flag=[1, 1]), "8-LE, 9-LE not in rows.csv, so nothing was written: mend"),
        (frame(narrative_id=["1-LE", "2-LE"], flag=["1", "maybe"]), "column 'flag' holds no flag in row 1"),
        (frame(narrative_id=["1-LE", " "], flag=["1", "1"]), "the id is blank in row 1"),
        (frame(narrative_id=["1-LE", "1-LE"], flag=["1", "0"]), "says two things of 1-LE"),
        (frame(narrative_id=["1-LE", "1-LE"], flag=["1", "unsure"]), "says two things of 1-LE"),
        (frame(narrative_id=["1-LE"], flag=[""]), "holds no flag in column 'flag'"),
        (frame(narrative_id=["1-LE"], flag=["1"], label=["1"]), "could each be the flag"),
        (frame(narrative_id=["1-LE"]), "no column for the flags"),
        (frame(flag=["1"], incident_id=["1"]), "no column for the narratives' ids"),
    ],
)
def test_a_file_that_is_wrong_anywhere_is_refused_as_a_whole(filled, table, said):
    with pytest.raises(DatasetError, match=said):
        read(filled, table)
    assert labels.coders(filled, 1) == ["manual"]


def test_unknown_ids_are_said_and_not_swallowed_where_the_rest_is_taken(filled):
    table = frame(narrative_id=["1-LE", "9-LE", "8-LE"], flag=["1", "1", "0"])
    done = read(filled, table, skip_unknown=True)
    assert (done.new, done.unknown, done.named) == (1, 2, ("9-LE", "8-LE"))
    assert str(done).endswith("not in rows.csv: 9-LE, 8-LE")
    with pytest.raises(DatasetError, match="nothing was written"):  # nothing would be taken
        read(filled, frame(narrative_id=["9-LE"], flag=["1"]), skip_unknown=True)


def test_the_files_own_coder_is_refused_and_a_settled_flag_may_come_from_a_file(filled):
    table = frame(narrative_id=["2-LE"], flag=["1"])
    with pytest.raises(ConfigError, match="is the data file's own"):
        read(filled, table, coder="manual")
    read(filled, table, coder="adjudicated")
    assert filled.leaderboard()[0]["tp"] == 2


def test_the_dataset_is_the_only_one_or_the_one_that_is_named(hub, tmp_path):
    with pytest.raises(UnknownNameError, match="holds no dataset yet"):
        labelling.dataset_named(hub)
    browsed.fill(hub)
    with pytest.raises(
        UnknownNameError, match=r"more than one dataset: name one with --data, .*others\.csv, rows\.csv"
    ):
        labelling.dataset_named(hub)
    assert labelling.dataset_named(hub, "folder/others.csv") == 2
    with pytest.raises(UnknownNameError, match=r"did you mean 'rows\.csv'"):
        labelling.dataset_named(hub, "rws.csv")


def test_of_two_readings_of_one_file_the_one_that_it_holds_now_is_meant(hub, tmp_path, demo):
    from exphub_magics import datasets, experiments  # noqa: PLC0415 - for this test alone

    for text in ("V was at home.", "V was out."):
        demo.loc[0, "narrative"] = text
        demo.to_csv(tmp_path / "demo.csv", index=False)
        experiments.register_dataset(hub, datasets.read("demo.csv"))
    assert labelling.dataset_named(hub, "demo.csv") == 2
    demo.loc[0, "narrative"] = "V was away."
    demo.to_csv(tmp_path / "demo.csv", index=False)
    with pytest.raises(UnknownNameError, match=r"demo\.csv as it is now is in no experiment"):
        labelling.dataset_named(hub, "demo.csv")
