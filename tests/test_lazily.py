import importlib.util
import inspect
import subprocess
import sys
import threading

import pytest

from exphub_magics import lazily

SLOW = "import time\ntime.sleep(0.2)\nANSWER = 42\n"


@pytest.fixture
def slow(tmp_path, monkeypatch):
    """A module whose import takes its time."""
    (tmp_path / "slow_one.py").write_text(SLOW)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield "slow_one"
    sys.modules.pop("slow_one", None)


def test_threads_that_use_a_module_first_at_the_same_time_all_find_its_names(slow):
    module, found = lazily.load(slow), []
    threads = [threading.Thread(target=lambda: found.append(module.ANSWER)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [42] * 8


def test_an_import_that_is_interrupted_can_be_done_again(slow, tmp_path):
    broken = SLOW + "if not __import__('pathlib').Path('again').exists(): raise KeyboardInterrupt\n"
    (tmp_path / "slow_one.py").write_text(broken)
    module = lazily.load(slow)
    with pytest.raises(KeyboardInterrupt):
        _ = module.ANSWER
    (tmp_path / "again").touch()
    assert module.ANSWER == 42


def test_nothing_is_imported_before_it_is_used():
    code = "import sys; from exphub_magics import lazily; it = lazily.load('scipy'); print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_module_that_is_not_there_is_said_where_it_is_used():
    missing = lazily.load("no_such_module")
    assert not inspect.ismethod(missing)
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        _ = missing.anything


def test_what_is_taken_from_it_is_what_an_import_gives():
    assert lazily.load("pandas").DataFrame is __import__("pandas").DataFrame
    assert lazily.load("scipy").special.ndtri(0.5) == 0


def test_what_changes_in_the_module_changes_here(monkeypatch):
    fractions = lazily.load("fractions")
    assert fractions.Fraction is not str
    monkeypatch.setattr("fractions.Fraction", str)
    assert fractions.Fraction is str
    assert lazily.load("pandas").__version__ == __import__("pandas").__version__
