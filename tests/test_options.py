import pytest

from exphub_magics import terminal
from exphub_magics.cli import options
from exphub_magics.errors import HubError

MATRIX = "- {experiment_name: a, prompt: Hit?, data: sample}\n"


@pytest.mark.parametrize("amount", ["nan", "inf", "-1", "1_0", "much"])
def test_an_amount_that_is_none_is_refused_in_a_line(tmp_path, capsys, amount):
    (tmp_path / "m.yml").write_text(MATRIX)
    with pytest.raises(SystemExit) as ended:
        terminal.main(["run", "m.yml", "--max-cost", amount])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"{amount} is no amount of money: name one in USD, such as 0.50")


def test_a_session_that_reads_makes_no_hub(tmp_path):
    with pytest.raises(HubError, match="there is no hub"):
        options.Session(db=str(tmp_path / "none.db")).hub()
    with options.Session(db=str(tmp_path / "none.db")).hub_to_ask_nothing() as hub:
        assert hub.leaderboard() == []
    assert not (tmp_path / "none.db").exists()
