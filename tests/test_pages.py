import json
from html import unescape

import plotly.graph_objects as go
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics import metrics
from exphub_magics.reports import pages

EVIL = "</script><b>&"


def test_whatever_stands_in_a_table_is_text():
    page = pages.table(EVIL, [EVIL, EVIL], [[EVIL, f"{EVIL}\n{EVIL}"]])
    assert "<b>" not in page
    assert unescape(page).count(EVIL) == 7


def test_columns_of_text_are_marked_and_the_others_are_numbers():
    page = pages.table("Names", ["", "name", "n"], [["a", "b", "3"]], text=[1])
    assert page.count('class="text"') == 4
    assert "<td>3</td>" in page


def test_small_print_that_is_long_may_be_broken():
    page = pages.table("Recall", [""], [["a\n.50 – .70"], ["b\nno narrative is labelled yes"]])
    assert "a<br><small>.50 – .70</small>" in page
    assert 'b<small class="why">no narrative is labelled yes</small>' in page


def test_a_chart_s_data_cannot_end_its_script():
    chart = go.Figure(layout={"title": {"text": EVIL}})
    page = pages.figure(chart, "A chart.")
    held = page.split('<script type="application/json">')[1].split("</script>")[0]
    assert page.count("</script>") == 1
    assert json.loads(held)["layout"]["title"]["text"] == EVIL


@given(st.integers(0, 10**7))
def test_only_one_is_singular(number):
    assert pages.numbered(number, "prompt").endswith("s") == (number != 1)


def test_a_value_stands_without_a_sign_above_its_interval():
    card = metrics.scorecard([True] * 4, [True, True, True, False])
    assert pages.estimate(card["recall"]) == ".75\n.30 – .95"
    assert pages.estimate(card["specificity"]) == "undefined\nno answered narrative is labelled no"
