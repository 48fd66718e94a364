from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics.datasets.placeholders import placeholder

PLACEHOLDERS = """N/A
n/a
NA
none
None.
Need LE report
No narrative available
No report on file.
pending
see CME narrative
LE report not received
unknown
Unknown at this time.
See LE narrative for details.
Refer to the police report.
Awaiting police report
Awaiting LE.
no information available at this time
There is no report on file for this incident.
No law enforcement report available.
CME narrative has not yet been received
Medical examiner's report pending
Report not available
Report requested.
NOT YET RECEIVED
None on file
--
TBD
To be determined
Same as above
Same as CME narrative
Need CME/LE report
needs coroner's report
unable to obtain LE report
Could not locate police report.
CME/LE reports unavailable
[No narrative]
Pending autopsy and toxicology results
No records found in the system
Waiting on sheriff's report
Narrative to follow
M.E. report pending
Police report requested; none received.
No LE narrative on file at time of coding.
LE file not released (case still open).
Awaiting coroner report, third request made.
CME - need narrative
Police records requested, will update when received.
See LE narrative. Coroner's report to follow.""".splitlines()

REAL = """Pending divorce, the V was found deceased at home.
No report of IPV was on file at the police department. V lived alone and was found by a neighbor.
Unknown male found deceased.
No.
No suspects.
No history of violence reported.
No report of IPV.
No police report was filed by the victim.
V found deceased.
See you soon, the note said.
V needed police.
Report of shots fired.
Police found V deceased.
None of the witnesses saw the partner.
Victim missing since Tuesday.
V reported missing.
Pending charges against the partner.
Awaiting trial for assault, V was found at home.
Unknown suspect shot V.
V was not known to police.
The report states that V was shot by her husband.
LE found partner at scene.
Missing person.
Need for shelter noted.
Not suspicious.
Not married.
Same as last year, V had filed for a protective order.
Toxicology positive for alcohol.
Investigation revealed prior threats by the boyfriend.
Unable to find work, V was despondent.
Did not receive treatment for depression.
Per police report, V was shot by spouse.
See police report: husband shot V.
LE report pending, husband arrested.
Need LE report. Open case. Wife suspected.
Надійшов звіт.""".splitlines()


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_a_phrase_that_stands_for_a_missing_text_is_a_placeholder(text):
    assert (placeholder(text) or "").startswith("placeholder: ")
    assert placeholder(f"  {text.upper()}\n") == placeholder(text)


@pytest.mark.parametrize("text", REAL)
def test_a_real_sentence_is_never_eaten(text):
    assert placeholder(text) is None


@pytest.mark.parametrize("text", ["", " ", "\t\r\n", "\N{NO-BREAK SPACE}"])
def test_white_space_is_empty(text):
    assert placeholder(text) == "empty"


@given(st.sampled_from(PLACEHOLDERS), st.sampled_from(REAL))
def test_a_placeholder_before_or_after_a_real_sentence_does_not_hide_it(missing, real):
    assert placeholder(f"{missing} {real}") is None
    assert placeholder(f"{real} {missing}") is None


@pytest.mark.parametrize("text", ["Under investigation.", "Open case", "Second request sent. Will update."])
def test_a_remark_alone_is_no_placeholder(text):
    assert placeholder(text) is None
    assert placeholder(f"LE report pending. {text}") is not None


@given(st.sampled_from(PLACEHOLDERS), st.sampled_from(PLACEHOLDERS))
def test_placeholders_side_by_side_are_one(first, second):
    both = f"{first}; {second}"
    assert (placeholder(both) is not None) == (len(both) <= 100)


@pytest.mark.parametrize("word", ["the ", "cme le ", "me ", "no le ", "m e ", "is still ", "autopsy "])
def test_a_row_of_the_rules_own_words_costs_no_time(word):
    started = time.perf_counter()
    for ending in ("", "q", "report q"):
        placeholder(f"see {word * 12}{ending}"[:100])
    assert time.perf_counter() - started < 0.5
