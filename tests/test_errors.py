import inspect

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from exphub_magics import errors, terminal
from exphub_magics.cli import options
from exphub_magics.errors import ExphubError, nearest, unknown

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ExphubError)]
WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=12)


def test_the_tree_in_the_docstring_is_the_tree():
    drawn = [line for line in errors.__doc__.splitlines() if "Error " in line]
    names = [line.lstrip("│├└─ ").split()[0] for line in drawn]
    assert sorted(names) == sorted(kind.__name__ for kind in KINDS)
    indented = {name: line.index(name) for name, line in zip(names, drawn, strict=True)}
    for kind in KINDS:
        assert indented[kind.__name__] == 4 * (len(kind.__mro__) - len(ExphubError.__mro__))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_is_one_line_with_its_kind_in_the_notebook(kind):
    assert kind("no hub here; name one with --db")._render_traceback_() == [
        f"{kind.__name__}: no hub here; name one with --db"
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_ends_the_command_with_code_one_and_its_text(kind, monkeypatch, capsys):
    def refuse(_session):
        raise kind("no hub here; name one with --db")

    monkeypatch.setattr(options.Session, "hub", refuse)
    with pytest.raises(SystemExit) as ended:
        terminal.main(["list"])
    assert ended.value.code == kind.exit_code == 1
    assert capsys.readouterr().err == "exphub: no hub here; name one with --db\n"


@given(st.lists(WORDS, min_size=1, unique_by=str.casefold), st.data())
def test_a_name_in_another_case_is_answered_with_that_name(known, data):
    meant = data.draw(st.sampled_from(known))
    assume(meant.swapcase().casefold() == meant.casefold())  # not so with a dotless i
    assert nearest(meant.swapcase(), known) in {f"did you mean {one!r}?" for one in known}
    assert nearest(meant, known) == f"did you mean {meant!r}?"


@given(st.text(), st.lists(WORDS))
def test_what_is_offered_exists(word, known):
    said = nearest(word, known)
    if said.startswith("did you mean"):
        assert said in {f"did you mean {one!r}?" for one in known}
    elif known:
        listed = said.removeprefix("there are: ").split(" … ")[0].split(", ")
        assert listed == sorted(set(known))[:8]
        hidden = len(set(known)) - 8
        assert (f" … ({hidden} more)" in said) == (hidden > 0)
    else:
        assert said == "there are none yet"


def test_an_unknown_name_with_a_line_break_is_still_one_line():
    assert str(unknown("experiment", "a\nb", ["first"])) == "unknown experiment 'a\\nb': there are: first"
