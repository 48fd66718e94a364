import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics.evidence import PLACES, _pieces, parts, spans

TEXT = "Her sister said V was afraid of him. He 'never let her\nout of his sight'. V told nobody."


def quoted(rational, text=TEXT):
    return [text[start:end] for start, end in spans(rational, text)]


def test_what_is_quoted_is_found_whatever_its_quotation_marks_case_and_line_breaks():
    assert quoted('It states "was afraid of him".') == ["was afraid of him"]
    assert quoted("It states “Was afraid of him” and 'her out of his sight'.") == [
        "was afraid of him",
        "her\nout of his sight",
    ]
    assert quoted("Said: 'afraid … told nobody.'") == ["told nobody."]


def test_a_sentence_that_stands_in_the_text_needs_no_quotation_marks():
    assert quoted("Her sister said V was afraid of him. That is fear.") == ["Her sister said V was afraid of him."]


def test_a_single_word_and_what_only_begins_a_word_are_no_quotation():
    assert quoted('the word "afraid" and "was a"') == []


def test_quotations_that_overlap_are_one_and_the_pieces_are_the_text():
    assert quoted('"V was afraid" and "was afraid of him"') == ["V was afraid of him"]
    pieces = parts('"V was afraid" and "told nobody"', TEXT)
    assert [piece for piece, marked in pieces if marked] == ["V was afraid", "told nobody"]


@given(st.text(alphabet="ab. \"'…“”\n", max_size=60), st.text(alphabet="ab. \"'\n", max_size=60))
def test_the_pieces_are_always_the_text(rational, text):
    assert "".join(piece for piece, _ in parts(rational, text)) == text


def test_a_quotation_in_single_marks_may_hold_apostrophes():
    text = "He 'wouldn't let V's sister in' and left."
    assert quoted("It says 'wouldn't let V's sister in'.", text) == ["wouldn't let V's sister in"]


@pytest.mark.parametrize("piece", ["\" 'a", "'a ", " 'a b", '"“', "'" + "a" * 1999 + " "])
def test_a_long_rational_whose_quotation_marks_close_nothing_is_read_within_seconds(piece):
    rational = piece * (200_000 // len(piece))
    started = time.monotonic()
    assert spans(rational, TEXT) == ()
    assert time.monotonic() - started < 20  # by the square of its length it would be minutes


def test_a_narrative_of_a_megabyte_takes_no_time_worth_a_word():
    text = "V was at home and nobody called. " * 31_000
    assert len(spans('"nobody called"', text)) == 50
    assert spans('"never was there at all"', text) == ()


def test_a_quotation_that_nearly_stands_everywhere_in_a_megabyte_is_looked_for_within_seconds():
    rational = " ".join(f'"{"a " * (900 - number)}b"' for number in range(20))
    started = time.monotonic()
    assert spans(rational, "a " * 500_000) == ()
    assert spans('"(a a b) c"', "x(a a b) c " * 90_000) == ()
    assert time.monotonic() - started < 20  # word by word from each place it would be minutes


def searched(rational, text):
    """What a search by one expression for each quotation finds, which is slow for some."""
    found = []
    for words in (piece.split() for piece in _pieces(rational)):
        pattern = r"(?<!\w)" + r"\s+".join(map(re.escape, words)) + r"(?!\w)"
        found += [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)][:PLACES]
    return found


@given(st.text(alphabet="aB é(,.)'\n", max_size=120), st.integers(0, 100), st.integers(3, 30))
def test_what_is_found_is_what_stands_there_as_whole_words_in_whatever_case(text, at, length):
    rational = f'"{text[at : at + length].swapcase()}"'
    covered = {place for start, end in searched(rational, text) for place in range(start, end)}
    assert {place for start, end in spans(rational, text) for place in range(start, end)} == covered
