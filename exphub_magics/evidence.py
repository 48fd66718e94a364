"""What a rational quotes word for word from its narrative, and where that stands in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate

MOST = 20  # quotations of one rational that are looked for
FEWEST = 2  # words of a quotation; of a sentence that stands there without quotation marks, twice as many
LONGEST = 2_000  # characters of one
PLACES = 50  # at which one quotation is taken

APOSTROPHES = 30  # within a quotation in single quotation marks; bounded, so that marks that close nothing cost little

_QUOTED = re.compile(
    r"[\"“„«]([^\"“”„«»]+)[\"”»]|"
    rf"(?<!\w)['‘]([^'‘’]{{1,{LONGEST}}}(?:['’]\w[^'‘’]{{0,{LONGEST}}}){{0,{APOSTROPHES}}})['’](?!\w)"
)
_ELLIPSIS = re.compile(r"\[?(?:…|\.\.\.)\]?")
_SENTENCE = re.compile(r"(?<=[.!?:;])\s+")
_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")  # every character is in one
_OTHER = "\0"  # stands for what is in no quotation


def spans(rational: str, text: str) -> tuple[tuple[int, int], ...]:
    """Where the quotations of a rational stand in a text: beginnings and ends, in order, none over another.

    >>> spans('It says "afraid of  him … at night".', "V was afraid of him. She was home at night.")
    ((6, 19), (34, 42))
    >>> spans("V was shoved by her husband.", "A friend said that V was shoved by her husband.")
    ((19, 47),)
    >>> spans("Nothing of that kind.", "V lived alone.")
    ()

    Case and white space may differ, and words may be left out at an ellipsis. A quotation that stands in the text
    more than once is taken at each place, up to fifty.
    """
    pieces = [_keys(_tokens(piece)) for piece in _pieces(rational)]
    if not pieces:
        return ()
    codes = {key: chr(number) for number, key in enumerate(dict.fromkeys(key for one in pieces for key in one), 1)}
    tokens = _tokens(text)
    ends = list(accumulate(map(len, tokens), initial=0))
    coded = "".join([codes.get(key, _OTHER) for key in _keys(tokens)])
    wanted = ["".join(map(codes.__getitem__, one)) for one in pieces]
    found = [(ends[at], ends[at + len(one)]) for one in wanted for at in _places(one, coded)]
    return tuple(_apart(sorted(found)))


def parts(rational: str, text: str) -> list[tuple[str, bool]]:
    """A text in pieces, each with whether the rational quotes it.

    >>> parts('"was afraid"', "V was afraid.")
    [('V ', False), ('was afraid', True), ('.', False)]
    """
    pieces, end = [], 0
    for start, stop in spans(rational, text):
        pieces += [(text[end:start], False), (text[start:stop], True)]
        end = stop
    return [piece for piece in [*pieces, (text[end:], False)] if piece[0]]


def _pieces(rational: str) -> list[str]:
    """What may be a quotation, the longest first."""
    quoted = [one or other for one, other in _QUOTED.findall(rational)]
    pieces = [piece for one in quoted for piece in _long(_ELLIPSIS.split(one), FEWEST)]
    pieces += _long(_SENTENCE.split(rational), 2 * FEWEST)
    return sorted(dict.fromkeys(pieces), key=len, reverse=True)[:MOST]


def _long(pieces: list[str], words: int) -> Iterator[str]:
    for piece in pieces:
        bare = piece.strip(" \t\r\n,;\"“”'‘’")
        if len(bare.split()) >= words and len(bare) <= LONGEST:
            yield bare


def _tokens(text: str) -> list[str]:
    """Words, white space and single marks, in one case; as many characters as the text."""
    folded = text.casefold()
    if len(folded) != len(text):  # some letters are two in the other case
        folded = "".join(both if len(both := one.casefold()) == 1 else one.lower()[0] for one in text)
    return _TOKEN.findall(folded)


def _keys(tokens: list[str]) -> list[str]:
    """What each token is the same as: any white space, and of marks whether a word touches them.

    A quotation stands alone, so one that begins or ends with a mark is not found where a word touches that.
    """
    words = [False, *(token[0].isalnum() or token[0] == "_" for token in tokens), False]
    return [
        token if word else f"{' ' if token[0].isspace() else token}{before:d}{after:d}"
        for token, before, word, after in zip(tokens, words, words[1:], words[2:], strict=False)
    ]


def _places(wanted: str, coded: str) -> Iterator[int]:
    """Where a quotation stands, fifty times at the most; `str.find` takes a time by the sum of both lengths."""
    at = coded.find(wanted)
    for _ in range(PLACES):
        if at < 0:
            return
        yield at
        at = coded.find(wanted, at + len(wanted))


def _apart(sorted_spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans that overlap as one."""
    start, end = -1, -1
    for one, other in sorted_spans:
        if one > end:
            if end > 0:
                yield start, end
            start, end = one, other
        end = max(end, other)
    if end > 0:
        yield start, end
