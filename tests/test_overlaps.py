import re

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from exphub_magics.figures import overlaps
from frames import FLAGS


def bars(figure):
    return {bar.name: dict(zip(bar.hovertext, bar.y, strict=True)) for bar in figure.data if bar.type == "bar"}


def test_an_overlap_chart_counts_each_narrative_once_by_who_flagged_it():
    figure = overlaps.overlap(FLAGS)
    assert bars(figure) == {
        "manual yes": {"manual and first@1 and second@1": 1, "manual and first@1": 1, "manual": 1},
        "manual no": {"first@1 and second@1": 1},
    }
    assert (
        figure.layout.title.subtitle.text
        == "4 narratives, 0 flagged by none<br>2 left out for want of an answer or a label"
    )


def test_set_sizes_stand_beside_the_names_manual_first():
    figure = overlaps.overlap(FLAGS)
    assert list(figure.layout.yaxis2.ticktext) == ["manual (3)", "first@1 (3)", "second@1 (2)"]


def test_rare_intersections_are_shown_together():
    every = [[bool(n >> bit & 1) for bit in range(6)] for n in range(64)]
    frame = pd.DataFrame(every, columns=["manual", *"abcde"])
    figure = overlaps.overlap(frame)
    shown = bars(figure)
    assert sum(len(found) for name, found in shown.items() if name != "other") == overlaps.INTERSECTIONS
    assert shown["other"] == {"43 smaller intersections together": 43}
    assert list(figure.layout.xaxis2.ticktext) == ["other"]


def test_without_manual_flags_no_colour_speaks_of_them():
    assert set(bars(overlaps.overlap(FLAGS[["first@1", "second@1"]]))) == {"flagged"}


def test_where_nothing_is_flagged_the_chart_says_so():
    figure = overlaps.overlap(pd.DataFrame({"manual": [False, False], "first@1": [False, False]}))
    assert bars(figure) == {}
    assert figure.layout.title.subtitle.text == "2 narratives, 2 flagged by none"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from([True, False, None])] * 3), max_size=30))
def test_bars_the_unflagged_and_those_left_out_add_up_to_all_rows(rows):
    figure = overlaps.overlap(pd.DataFrame(rows, columns=["manual", "a", "b"], dtype=object))
    numbers = [
        int(found) for found in re.findall(r"(\d+) (?:flagged by none|left out)", figure.layout.title.subtitle.text)
    ]
    assert sum(sum(found.values()) for found in bars(figure).values()) + sum(numbers) == len(rows)


def test_a_long_name_keeps_its_version():
    frame = FLAGS.rename(columns={"first@1": f"{'a' * 60}@12"})
    assert overlaps.overlap(frame).layout.yaxis2.ticktext[1].endswith("@12 (3)")
