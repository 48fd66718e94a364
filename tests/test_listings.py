import pytest

from canaries import ROWS, answer, fill, register_rows
from exphub_magics import comparisons
from exphub_magics.cards import listings


@pytest.fixture
def filled(hub):
    return fill(hub)


def table(hub):
    return listings.table(comparisons.leaderboard(hub))


def test_the_terminal_table_holds_the_same_numbers(filled):
    head, names, _, *lines = table(filled).splitlines()
    first, author = (line.split() for line in lines[:2])
    assert head.split()[:5] == ["experiment", "model", "dataset", "yes", "FP"]
    assert names.split()[:5] == ["author", "prompt", "n", "no", "FN"]
    start = filled.leaderboard()[0]["start_time"]
    shown = [
        "first@1",
        "builtin",
        "rules-1",
        "rows.csv",
        "4",
        "1",
        "62.5",
        "%",
        ".67",
        ".50",
        ".57",
        start[:10],
        "done",
    ]
    assert first == shown
    assert author[3:] == ["10", "5", "2", start[11:16], "1"]


def test_the_terminal_table_fits_120_columns(hub):
    dataset = register_rows(hub, name="n" * 90)
    answer(hub, dataset, "x" * 90, {one: True for one, *_ in ROWS}, author="y" * 90, model="z" * 90)
    assert max(map(len, table(hub).splitlines())) <= 120
    board = comparisons.leaderboard(hub).assign(
        percent_overlap=None, state="unfinished", positives=100_000, false_positives=100_000
    )
    assert max(map(len, listings.table(board).splitlines())) <= 120


def test_a_long_name_keeps_its_version_in_the_terminal_table(hub):
    dataset = register_rows(hub)
    for _ in range(11):
        answer(hub, dataset, "ipv · indicators, gpt-x, 0.5", {one: True for one, *_ in ROWS})
    shown = table(hub)
    assert all(f"x, 0.5@{version}" in shown for version in (1, 2, 10, 11))


def test_without_experiments_there_is_a_line(hub):
    assert table(hub) == "no experiment yet"


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
