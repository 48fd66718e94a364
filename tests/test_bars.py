import io
import sys
import time
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.utils.capture import capture_output

from exphub_magics.experiments.courses import Progress
from exphub_magics.widgets import bars
from exphub_magics.widgets.bars import ended, moving, span

AGAIN = "run it again for these and the failed"


def progress(state="running", *, statuses=None, **more):
    said = {"name": "first", "positives": 0, "asked": 0, "recalled": 0, "seconds": 0.0, "total": 10}
    return Progress(1, state=state, statuses=statuses or {}, **{**said, **more})


def seconds(shown):
    units = {"s": 1, "min": 60, "h": 3600}
    words = shown.split()
    return sum(int(number) * units[unit] for number, unit in zip(words[::2], words[1::2], strict=True))


# --- words ------------------------------------------------------------------------------------------------


@given(st.floats(0, 400_000))
def test_a_span_is_the_time_to_the_second_and_from_an_hour_to_the_minute(time_left):
    worth = 1 if time_left < 3599.5 else 60
    assert abs(seconds(span(time_left)) - time_left) <= worth


@pytest.mark.parametrize(
    ("time_left", "shown"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (61, "1 min 01 s"),
        (3599.6, "1 h 00 min"),
        (360_000, "100 h 00 min"),
    ],
)
def test_a_span_carries_over_where_it_is_rounded(time_left, shown):
    assert span(time_left) == shown


def test_a_run_under_way_says_how_far_it_is_and_how_long_it_will_take():
    some = progress(total=2000, statuses={"ok": 900, "failed": 100}, positives=1, asked=500, recalled=500, seconds=4.0)
    assert (some.finished, some.rate, some.remaining_seconds) == (1000, 125, 8)
    assert moving(some) == "1,000 of 2,000 · 1 flagged · 100 failed · 125.0 a second · 8 s to go"


def test_a_run_that_has_asked_nothing_yet_foretells_nothing():
    assert moving(progress(statuses={"ok": 4}, recalled=4, seconds=1.0)) == "4 of 10 · 0 flagged"
    assert moving(progress(statuses={"failed": 0})) == "0 of 10 · 0 flagged"


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (
            progress("stopped", statuses={"ok": 1500}, asked=1500, total=4000, seconds=9.0),
            "stopped: 1,500 narratives have their result, 2,500 are left; run it again for these",
        ),
        (
            progress("stopped", statuses={"ok": 1400, "failed": 100}, asked=1500, total=4000, failures={"400": 100}),
            f"stopped: 1,400 narratives have their result, 100 failed (400: 100), 2,500 are left; {AGAIN}",
        ),
        (
            progress("stopped", statuses={"ok": 1, "failed": 8}, asked=9, reason="max_cost reached: raise it"),
            "stopped: 1 narrative has its result, 8 failed, max_cost reached: raise it",
        ),
        (
            progress("stopped", statuses={"refused": 9}, asked=9),
            "stopped: 9 narratives have their result, 1 is left; run it again for it",
        ),
        (progress("done", statuses={"ok": 9, "not_evaluable": 1}, asked=9), "9 asked, 1 not evaluable"),
        (
            progress(
                "done", statuses={"ok": 6, "failed": 3, "not_evaluable": 1}, asked=9, failures={"400": 2, "500": 1}
            ),
            "9 asked, 3 failed (400: 2, 500: 1), 1 not evaluable",
        ),
        (
            progress("done", statuses={"ok": 8, "not_evaluable": 2}, asked=3, recalled=5),
            "3 asked, 5 answered before, 2 not evaluable",
        ),
        (progress("done", statuses={"ok": 10}, recalled=10), "0 asked, 10 answered before, 0 not evaluable"),
        (progress("done", statuses={"ok": 10}), "nothing to ask: every narrative has its result"),
    ],
    ids=[
        *("stopped", "some failed", "one", "one left", "asked", "asked, some in vain"),
        *("recalled in part", "recalled", "nothing to ask"),
    ],
)
def test_how_a_run_ended_is_said_in_words(last, said):
    assert ended(last) == said


@given(st.sampled_from(["done", "stopped"]), st.floats(0.1, 9e5), st.floats(0.1, 9e5))
def test_what_stays_of_a_run_does_not_depend_on_how_long_it_took(state, one, other):
    said = {"statuses": {"ok": 7}, "asked": 7}
    assert ended(progress(state, seconds=one, **said)) == ended(progress(state, seconds=other, **said))


# --- in a cell --------------------------------------------------------------------------------------------


@pytest.fixture
def cell(shell):
    """What the cell's output is given for these Progresses, one after the other."""

    def show(*course):
        shown = bars.in_cell()
        with capture_output() as caught:
            for one in course:
                shown(one)
        return caught.outputs

    return show


def running(finished, **more):
    return progress(statuses={"ok": finished}, asked=finished, seconds=finished / 10, **more)


def test_a_bar_moves_in_one_output_and_a_line_stays_in_its_place(cell, monkeypatch):
    monkeypatch.setattr(bars, "REFRESH_SECONDS", 0)
    opened, *moved, emptied, line = cell(
        running(0), running(4), progress("done", statuses={"ok": 10}, asked=10, seconds=1.0)
    )
    assert [output.update for output in (opened, *moved, emptied)] == [False, True, True, True]
    assert len({output.transient["display_id"] for output in (opened, *moved, emptied)}) == 1
    assert ['value="0"' in moved[0].data["text/html"], 'value="4"' in moved[1].data["text/html"]] == [True, True]
    assert "■ stops it, what is answered stays" in moved[1].data["text/html"]
    assert opened.data == emptied.data == {"text/html": "", "text/plain": ""}
    assert line.data == {
        "text/html": f'{bars.CALM}<div class="mathjax_ignore">first: 10 asked, 0 not evaluable</div>',
        "text/plain": "first: 10 asked, 0 not evaluable",
    }


@pytest.mark.parametrize("state", ["done", "stopped"])
def test_the_last_word_is_the_same_whenever_the_run_goes_as_far(cell, state):
    def last(took):
        return progress(state, statuses={"ok": 6}, asked=6, seconds=took)

    quick, slow = cell(running(0), last(0.5))[-1], cell(running(0), running(3), last(70.0))[-1]
    assert quick.data == slow.data
    assert "<progress" not in slow.data["text/html"]


def test_a_bar_moves_a_few_times_a_second_however_fast_answers_come(cell, monkeypatch):
    clock = iter(range(10**6))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock) * 0.01)
    outputs = cell(*(running(n, total=1000) for n in range(1000)), progress("done", statuses={"ok": 1000}, asked=1000))
    assert 20 <= len(outputs) <= 2 * 1000 * 0.01 / bars.REFRESH_SECONDS + 3
    assert outputs[-1].data["text/plain"] == "first: 1,000 asked, 0 not evaluable"


def test_an_end_is_shown_at_once_even_right_behind_a_step(cell):
    outputs = cell(running(0), running(9), progress("done", statuses={"ok": 10}, asked=10))
    assert [output.data["text/plain"] for output in outputs if output.data["text/plain"]] == [
        "first: 0 of 10 · 0 flagged",
        "first: 10 asked, 0 not evaluable",
    ]


def test_a_name_with_markup_is_text_in_the_bar_and_at_its_end(cell):
    name = "<script>alert(1)</script>&amp;"
    outputs = cell(running(0, name=name), progress("done", statuses={"ok": 10}, asked=10, name=name))
    said = [output for output in outputs if output.data["text/plain"]]
    assert len(said) == 2
    for output in said:
        assert "<script" not in output.data["text/html"]
        assert f"{name}: " in unescape(output.data["text/html"])
        assert output.data["text/plain"].startswith(f"{name}: ")


def test_each_run_has_an_output_of_its_own(cell):
    ids = [output.transient["display_id"] for _ in range(2) for output in cell(running(0))]
    assert len(set(ids)) == 2


# --- on the terminal --------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def line(*course):
    shown = bars.on_terminal()
    for one in course:
        shown(one)


COURSE = (running(0), running(4), progress("done", statuses={"ok": 10}, asked=10, seconds=1.0))


def test_where_stderr_is_no_terminal_a_run_says_only_how_it_ended(capsys):
    line(*COURSE[:-1])
    assert capsys.readouterr().err == ""
    line(*COURSE)
    assert capsys.readouterr() == ("", "first: 10 asked, 0 not evaluable\n")


def test_on_a_terminal_a_line_counts_and_is_wiped_before_the_last_word(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", Terminal())
    show = bars.on_terminal()
    for one in COURSE:
        show(one)
        time.sleep(0.11)  # a line is drawn ten times a second at most
    shown, wiped, end = sys.stderr.getvalue().rsplit("\r", 2)
    assert [f" {n}/10 " in shown for n in (0, 4)] == [True, True]
    assert (wiped.strip(), end) == ("", "first: 10 asked, 0 not evaluable\n")
    assert capsys.readouterr().out == ""


def test_a_resumed_run_counts_from_where_it_stands(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    line(running(7), progress("stopped", statuses={"ok": 7}))
    assert "7/10" in sys.stderr.getvalue()
    assert "0/10" not in sys.stderr.getvalue().replace("10/10", "")


def test_what_a_run_warns_of_is_said_once_on_any_stderr(capsys):
    warned = ("'first' now holds 2 versions: its text or settings changed",)
    line(running(0, warnings=warned), progress("done", statuses={"ok": 10}, asked=10, warnings=warned))
    assert capsys.readouterr().err.splitlines() == [
        f"first: note: {warned[0]}",
        "first: 10 asked, 0 not evaluable",
    ]


def test_what_turns_out_on_the_way_is_said_once_when_it_does(capsys):
    drift = "the served model changed from m-05 to m-08 after 4 narratives"
    line(running(0), running(4), progress("done", statuses={"ok": 10}, asked=10, warnings=(drift,)))
    assert capsys.readouterr().err.splitlines() == [f"first: note: {drift}", "first: 10 asked, 0 not evaluable"]
