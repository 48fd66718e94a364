"""Which names belong together: a prompt's own, those of its tries, and those of a matrix's combinations."""

from __future__ import annotations

TRY, AGAIN = ".try", ".parent"  # a prompt that is tried; a parent's prompt run on the narratives of a try
EARLIER = (" · try", " · parent")  # the same in hubs of earlier versions
COMBINED = " · "  # before a matrix's combination


def family(name: str, *, trial: bool) -> str:
    """The name without what a try adds to it; `trial` is whether the experiment is one.

    >>> family("baseline.try", trial=True), family("baseline · try", trial=True), family("baseline", trial=False)
    ('baseline', 'baseline', 'baseline')

    An experiment that somebody has called so is none:

    >>> family("baseline.try", trial=False)
    'baseline.try'
    """
    for ending in (TRY, AGAIN, *EARLIER) if trial else ():
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name


def is_again(name: str) -> bool:
    """Whether a name is of a parent's prompt that was run on the narratives of a try.

    >>> is_again("baseline.parent"), is_again("baseline.try")
    (True, False)
    """
    return name.endswith((AGAIN, EARLIER[1]))


def tries(family: str) -> tuple[str, str]:
    """The names that a family's tries have: the one of today, and that of earlier versions.

    >>> tries("baseline")
    ('baseline.try', 'baseline · try')
    """
    return f"{family}{TRY}", f"{family}{EARLIER[0]}"


def stem(name: str) -> str:
    """The name without a combination and without what a try adds.

    >>> stem("baseline · strict, small"), stem("baseline.try")
    ('baseline', 'baseline')
    """
    return family(name.partition(COMBINED)[0], trial=True)
