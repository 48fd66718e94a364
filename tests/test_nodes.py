from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics.errors import ConfigError
from exphub_magics.specs import nodes

WHAT = "a list of things"


def composed(text, **more):
    Path("things.yml").write_text(text, encoding="utf-8")
    return nodes.compose("things.yml", **{"what": WHAT, "most_bytes": 1_000, **more})


@pytest.mark.parametrize("word", ["no", "012", "1:30", "1e3", "~", "2026-11-24", "0x10", "1_0"])
def test_a_value_stays_what_was_written(word):
    root = composed(f"- name: {word}\n")
    notes = nodes.Notes()
    (value,) = notes.mapping(root.value[0], ["name"]).values()
    assert notes.scalar("name", value, str, "text") == word
    assert notes.problems == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n" * 300, "things.yml is larger than 1,000 bytes: is it a list of things?"),
        ("- &a x\n- *a\n", "things.yml uses an alias (*a): write the value out"),
        ("[" * 9 + "]" * 9, "things.yml is nested too deeply to be a list of things"),
        ("- name: 'x\n", "things.yml, line 2: this is no YAML: found unexpected end of stream"),
        ("- \x00\n", "things.yml is no YAML: unacceptable character"),
    ],
)
def test_a_file_that_is_none_is_refused_in_a_line(text, said):
    with pytest.raises(ConfigError) as refused:
        composed(text)
    assert str(refused.value).startswith(said)
    assert len(str(refused.value).splitlines()) == 1


def test_a_file_without_anything_has_no_nodes():
    assert composed("# nothing\n") is None


def test_a_file_that_cannot_be_read_is_named_by_its_last_part(tmp_path):
    with pytest.raises(ConfigError, match=r"^gone\.yml cannot be read: No such file"):
        nodes.compose(str(tmp_path / "gone.yml"), what=WHAT, most_bytes=10)
    (tmp_path / "latin.yml").write_bytes("é".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"^latin\.yml is not UTF-8 text"):
        nodes.compose(str(tmp_path / "latin.yml"), what=WHAT, most_bytes=10)


def test_what_is_wrong_is_collected_with_its_lines():
    root = composed("- nam: a\n  size: many\n  size: 2\n- size:\n  name: [b]\n")
    notes = nodes.Notes()
    for entry in root.value:
        for key, value in notes.mapping(entry, ["name", "size"]).items():
            notes.scalar(key, value, int if key == "size" else str, "a number" if key == "size" else "text")
    with pytest.raises(ConfigError) as refused:
        nodes.refuse("things.yml", notes.problems)
    assert str(refused.value) == (
        "5 problems in things.yml; nothing was run:\n"
        "  line 1: unknown key 'nam': did you mean 'name'?\n"
        "  line 2: size is a number, not 'many'\n"
        "  line 3: key 'size' stands here twice\n"
        "  line 4: size is a number, written behind the colon\n"
        "  line 5: name is text, written behind the colon"
    )


def test_one_problem_is_one_line_and_none_is_no_error(tmp_path):
    nodes.refuse("things.yml", [])
    with pytest.raises(ConfigError, match=r"^things\.yml, line 3: no name$"):
        nodes.refuse(str(tmp_path / "things.yml"), [nodes.Problem(3, "no name")] * 2)


@given(st.text(max_size=60))
def test_any_text_is_composed_or_refused(text):
    try:
        root = composed(text)
    except ConfigError:
        return
    assert root is None or isinstance(root, yaml.Node)
