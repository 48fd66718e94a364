import pytest

from canaries import ROWS, answer, fill, register_rows
from exphub_magics import comparisons, listings


@pytest.fixture
def filled(hub):
    return fill(hub)


def test_the_terminal_table_holds_the_same_numbers(filled):
    head, names, _, *lines = listings.table(filled).splitlines()
    first, author = (line.split() for line in lines[:2])
    assert head.split()[:5] == ["experiment", "model", "dataset", "yes", "FP"]
    assert names.split()[:5] == ["author", "prompt", "n", "no", "FN"]
    assert first == ["first@1", "builtin", "rules-1", "rows.csv", "4", "1", "62.5", "%", ".67", ".50", ".57", "done"]
    assert author[3:7] == ["10", "5", "2", "50.0"]
    assert author[-1] == "1"


def test_the_terminal_table_fits_120_columns(hub):
    dataset = register_rows(hub, name="n" * 90)
    answer(hub, dataset, "x" * 90, {one: True for one, *_ in ROWS}, author="y" * 90, model="z" * 90)
    assert max(map(len, listings.table(hub).splitlines())) <= 120


def test_a_long_name_keeps_its_version_in_the_terminal_table(hub):
    dataset = register_rows(hub)
    for _ in range(11):
        answer(hub, dataset, "ipv · indicators, gpt-x, 0.5", {one: True for one, *_ in ROWS})
    shown = listings.table(hub)
    assert all(f"x, 0.5@{version}" in shown for version in (1, 2, 10, 11))


def test_the_terminal_table_takes_the_leaderboard_too_which_has_no_intervals(filled):
    lines = listings.table(comparisons.leaderboard(filled)).splitlines()
    whole = listings.table(filled).splitlines()
    assert [line.split() for line in lines[3::2]] == [line.split() for line in whole[3::2]]
    assert listings.table(comparisons.leaderboard(filled).iloc[:0]) == "no experiment yet"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("~/models/small.gguf", "small.gguf"),
        ("./small.gguf", "small.gguf"),
        ("http://host:1/v1/small", "small"),
        (r"folder\small.gguf", "small.gguf"),
        ("meta/llama-3", "meta/llama-3"),
    ],
)
def test_only_a_path_loses_its_folders(name, shown):
    assert listings.bare(name) == shown
