import io
import json
import os
import sys

import pandas as pd
import pytest

from exphub_magics import terminal


def test_missing_numbers_are_null_in_json():
    assert json.loads(terminal.shown_json(pd.DataFrame({"a": [1.5, None]}))) == [{"a": 1.5}, {"a": None}]


def test_values_go_to_stdout_and_errors_to_stderr_with_their_code(capsys):
    with pytest.raises(SystemExit) as ended:
        terminal.main(["show", "nobody"])
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (1, "")
    assert said.err.startswith("exphub: there is no hub")
    assert said.err.count("\n") == 1


def test_a_verb_without_its_argument_is_a_slip_of_usage(capsys):
    with pytest.raises(SystemExit) as ended:
        terminal.main(["show"])
    assert ended.value.code == 2
    assert "Missing argument" in capsys.readouterr().err


def test_a_reader_that_has_gone_away_wants_no_more(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        terminal.main(["data", "sample"])
        monkeypatch.setattr(sys, "stdout", io.StringIO())
