import itertools
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics.markup import LISTED, columns, counted, decimal, details, interval, table

SHARES = st.floats(-1, 1, allow_nan=False)
MARKUP = st.text("<>&;/!-'\"# ab", max_size=8) | st.sampled_from(["<b>", "</td>", "<script>x</script>", "&lt;", "<!--"])
CELLS = MARKUP | st.text(max_size=8)
WIDE = st.integers(1, 4)


class Read(HTMLParser):
    """The tags of a piece of HTML, and the words between them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.words.append("")

    def handle_data(self, data):
        self.words[-1] += data


def of(read, *names):
    return [word for (tag, _), word in zip(read.tags, read.words, strict=True) if tag in names]


@given(SHARES)
def test_a_decimal_is_the_value_to_two_places(value):
    shown = decimal(value)
    assert re.fullmatch(r"-?(\.\d\d|1\.00)", shown)
    assert abs(float(shown) - value) <= 0.005 + 1e-9


@given(st.integers(-200, 200))
def test_a_half_is_rounded_as_it_reads(hundredths):
    value = float(f"{hundredths / 100:.2f}5") if hundredths >= 0 else -float(f"{-hundredths / 100:.2f}5")
    away = hundredths + (1 if hundredths >= 0 else -1)
    assert float(decimal(value)) == pytest.approx(away / 100)


@given(SHARES, SHARES)
def test_decimals_stand_in_the_order_of_their_values(one, other):
    low, high = sorted((one, other))
    assert float(decimal(low)) <= float(decimal(high))


def test_an_interval_with_an_end_missing_is_not_shown():
    assert [interval(*ends) for ends in ((None, 0.5), (0.5, None), (None, None))] == ["", "", ""]
    assert interval(-0.25, 1.0) == "-.25 – 1.00"


@given(st.data(), WIDE)
def test_a_table_says_what_its_cells_say_whatever_they_hold(data, width):
    rows = st.lists(CELLS, min_size=width, max_size=width)
    head, body = data.draw(rows), data.draw(st.lists(rows, max_size=3))
    read = Read(table(head, body, left=[1]))
    assert of(read, "th", "td") == list(itertools.chain(head, *body))
    assert {tag for tag, _ in read.tags} <= {"table", "thead", "tbody", "tr", "th", "td"}


def test_a_tables_first_column_heads_its_rows_and_numbers_stand_right():
    read = Read(table(["", "n", "why"], [["all", "3", "so"]], left=[2]))
    cells = [(tag, at.get("scope"), at["style"]) for tag, at in read.tags if tag in ("th", "td")]
    left, right = "text-align: left", "text-align: right"
    assert cells == [
        *(("th", "col", left), ("th", "col", right), ("th", "col", left)),
        *(("th", "row", left), ("td", None, right), ("td", None, left)),
    ]


@pytest.mark.parametrize("show", [table, columns])
def test_a_row_that_does_not_fit_its_head_is_refused(show):
    with pytest.raises(ValueError, match="argument 2 is"):
        show(["", "n"], [["all", "3", "4"]])


@given(st.data(), WIDE)
def test_plain_columns_begin_below_each_other(data, width):
    word = st.from_regex(r"[a-zé–]{0,7}", fullmatch=True)
    rows = st.lists(word, min_size=width, max_size=width)
    head, body = data.draw(rows), data.draw(st.lists(rows, max_size=4))
    lines = columns(head, body).split("\n")
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    starts = list(itertools.accumulate((width + 2 for width in widths), initial=0))
    for line, row in zip(lines, [head, *body], strict=True):
        assert line == line.rstrip()
        assert [line[a:b].strip() for a, b in itertools.pairwise(starts)] == row


@given(st.integers(1, 3 * LISTED))
def test_a_list_shows_some_and_counts_the_rest(number):
    listed = of(Read(details("all", [f"item {n}" for n in range(number)])), "li")
    assert listed[:LISTED] == [f"item {n}" for n in range(min(number, LISTED))]
    assert listed[LISTED:] == ([f"… and {number - LISTED} more"] if number > LISTED else [])


@given(MARKUP | st.text())
def test_a_lists_summary_is_text(summary):
    read = Read(details(summary, ["<code>1</code>"]))
    assert of(read, "summary") == [summary]
    assert [tag for tag, _ in read.tags] == ["details", "summary", "ul", "li", "code"]


@given(st.integers(0, 10**7))
def test_only_one_thing_is_counted_without_its_plural(count):
    number, narratives = counted(count, "narrative").split()
    assert int(number.replace(",", "")) == count
    assert narratives == ("narrative" if count == 1 else "narratives")
    assert counted(count, "reply", "replies").endswith(" reply") == (count == 1)
