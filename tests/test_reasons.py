import pytest
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics import prompts, specs
from exphub_magics.providers.reasons import LEFT_OUT, LONGEST, line, without_key, without_paths

SPEC = specs.Spec(name="first", prompt=prompts.parse("Is it?"))
QUESTION = SPEC.question("1", "Victim was found in the kitchen; her husband Émile said they had argued.", {})
KEY = "ky-proj-Abc1_De2fGh3-Ij4kLm5wxyz"

# --- the key ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        f"Incorrect API key provided: {KEY}. You can find it at https://example.org/keys",
        "Incorrect API key provided: ky-proj-********************wxyz.",
        "Incorrect API key provided: ky-pr***xyz",
        "key ky-proj-Abc1… ends in wxyz",
        "key ky-proj-...5wxyz",
        f"key {KEY[:12]} and {KEY[12:]}",
        f"Bearer {KEY[:-1]}",
        f"authorization={KEY[4:20]}",
        "key ky-projxxxxxxxxxxxxxwxyz",
        "key Abc1_De2fGh3",
        "key ****************wxyz",
    ],
)
def test_no_piece_of_a_key_is_kept(said):
    kept = without_key(said, KEY)
    for piece in ("ky-pr", "Abc1", "De2f", "Ij4k", "xyz"):
        assert piece not in kept
    assert "***" in kept


def test_a_message_without_the_key_stays_as_it_is():
    said = "You have no access to model m-4: ask the owner of the project, see https://example.org/docs."
    assert without_key(said, KEY) == said
    assert without_key(f"{KEY} is unknown", None) == f"{KEY} is unknown"


@given(st.text(max_size=40), st.integers(0, len(KEY)), st.integers(0, len(KEY)), st.text(max_size=40))
def test_any_long_piece_of_a_key_is_found_in_any_text(before, start, end, after):
    piece = KEY[start:end]
    if len(piece) >= 8:
        assert piece not in without_key(f"{before} {piece} {after}", KEY)


# --- paths ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("cannot open /srv/models/of/m.gguf.", "cannot open m.gguf."),
        ("cannot open '/srv/some one/m 7b.gguf'", "cannot open 'm 7b.gguf'"),
        ('error in "C:\\Users\\some one\\m.gguf"', 'error in "m.gguf"'),
        ("error in C:\\models\\m.gguf:12", "error in m.gguf:12"),
        ("error in C:/models/m.gguf", "error in m.gguf"),
        ("error in C:\\\\models\\\\m.gguf", "error in m.gguf"),
        ("on \\\\server\\share\\m.gguf", "on m.gguf"),
        ("see file:///srv/models/m.gguf", "see m.gguf"),
        ("at ~/models/m.gguf (line 3)", "at m.gguf (line 3)"),
        ("model=/srv/m.gguf", "model=m.gguf"),
        ("(/srv/a/m.gguf,/srv/b/n.gguf)", "(m.gguf,n.gguf)"),
        ("in /home/somebody", "in ***"),
        ("in '/Users/somebody'", "in '***'"),
        ("in /home/somebody/m.gguf", "in m.gguf"),
        ("see https://example.org/docs/errors/429", "see https://example.org/docs/errors/429"),
        ("Invalid URL (POST /v1/chat/completions)", "Invalid URL (POST /v1/chat/completions)"),
        ("meta/llama-3/8b and 1/2 or n/a", "meta/llama-3/8b and 1/2 or n/a"),
    ],
)
def test_of_an_absolute_path_only_the_last_component_is_kept(said, kept):
    assert without_paths(said) == kept


# --- the line ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        "cannot do: … HER HUSBAND émile\nsaid, they …",
        "{'input': 'Victim was found in the kitchen'}",
        "x" * 400 + " her husband Émile said they",
    ],
)
def test_words_that_repeat_the_text_are_left_out(said):
    assert line(said, QUESTION, None) == LEFT_OUT


def test_all_of_a_short_text_is_not_repeated_either():
    assert line("cannot do: shot at home", SPEC.question("1", "Shot, at home.", {}), None) == LEFT_OUT
    assert line("anything", SPEC.question("1", "", {}), None) == "anything"


@given(st.text(st.characters()))
def test_whatever_was_said_a_reason_is_one_short_line_that_can_be_stored(said):
    kept = line(said, QUESTION, KEY)
    assert len(kept) <= LONGEST
    assert len(kept.splitlines()) <= 1
    kept.encode()


def test_a_long_and_tangled_message_is_read_in_no_time():
    for tangled in ("'/" * 200_000, "/a" * 200_000, "sk-" * 200_000, "C:\\" * 200_000, "*" * 400_000):
        assert len(line(tangled, QUESTION, KEY)) <= LONGEST
