import os
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics import experiments, prompts, specs
from exphub_magics.cli.shells import completed, typed
from exphub_magics.hub import Hub

PROMPT = "Was V hit by a partner?"


@pytest.mark.parametrize(
    ("line", "fragment"),
    [
        ("exphub", "exphub"),
        ("exphub ", ""),
        ("exphub show 'a b' ", ""),
        ('exphub show "a \\" b', '"a \\" b'),
        ("exphub show a\\ b", "a\\ b"),
        ("exphub show a\\", "a\\"),
        ("exphub show \\", "\\"),
        ("exphub --db=x", "--db=x"),
        ("", ""),
    ],
)
def test_the_last_word_is_taken_as_it_is_typed(line, fragment):
    assert typed(line) == fragment


VALUES = st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable() and text.strip() == text)
NASTY = ["p$(touch x)", "a`touch x`", "q'; touch x; 'z", 'q "x y" z', "$HOME", "a!b", "back\\slash", "~", "*", "é · ß"]


@pytest.mark.parametrize("quote", ["", "'", '"'])
@given(VALUES | st.sampled_from(NASTY))
def test_a_shell_reads_a_completed_word_as_the_value_and_runs_nothing_of_it(quote, value):
    fragment = quote + (value[:1] if value[:1].isalnum() else "")
    done = quote + completed(value, fragment, fragment.removeprefix(quote)) + quote
    read = subprocess.run(["bash", "-c", f"printf %s {done}"], capture_output=True, text=True, check=True).stdout
    assert read == value
    assert not Path("x").exists()


@pytest.fixture
def bash(demo, tmp_path):
    """Type a line and Tab in an interactive bash that has completion; what stands in the line then."""
    with Hub.open("exphub.db") as hub:
        for name, sample in (("first", None), ("first", 5), ("ipv · strict, small", 3)):
            spec = specs.Spec(name, prompts.parse(PROMPT), data=demo, sample=sample)
            list(experiments.run(hub, spec))
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TERM": "dumb",
        "PS1": "$ ",
    }
    shell = pexpect.spawn("bash", ["--norc", "-i"], env=environment, encoding="utf-8", dimensions=(40, 200), timeout=60)
    shell.sendline(
        "bind 'set enable-bracketed-paste off'; bind 'set bell-style none';"
        ' eval "$(_EXPHUB_COMPLETE=bash_source exphub)"; show() { echo "LINE=$READLINE_LINE=ENIL"; };'
        " bind -x '\"\\C-t\": show'; echo rea''dy"
    )
    shell.expect("ready\r\n")

    def type_(line):
        shell.send(f"\x15{line}\t\x14")
        shell.expect(r"LINE=([^\r\n]*)=ENIL")
        return shell.match.group(1)

    yield type_
    shell.close(force=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash on this machine")
def test_names_versions_options_and_files_complete_in_bash(bash):
    assert bash("exphub comp") == "exphub compare "
    assert bash("exphub show first@1") == "exphub show first@1 "
    assert bash("exphub show fir") == "exphub show first"
    assert bash("exphub show ip") == r"exphub show ipv\ ·\ strict,\ small "
    assert bash('exphub show "ipv · ') == 'exphub show "ipv · strict, small" '
    assert bash("exphub list --db=exph") == "exphub list --db=exphub.db "
    assert bash("exphub show 'fir") == "exphub show 'first"
    assert bash('exphub show a"fir') == 'exphub show a"fir'
    assert bash("exphub show nothing") == "exphub show nothing"
