"""The fixtures that carry the tests: a hub, ten rows to check in the head, a scripted endpoint, a shell."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import settings

from endpoint import ScriptedEndpoint
from exphub_magics.hub import Hub

# No example is timed; where a run decides about a landing, every run tries the same examples.
settings.register_profile("exphub", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("exphub")

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs behind it deaf to interrupts

VARIABLES = (
    "EXPHUB_DB",
    "EXPHUB_PRICES",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENROUTER_API_KEY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test stands in an empty folder, with no key, proxy or hub of the machine's in sight."""
    for name in [*VARIABLES, *(variable.lower() for variable in VARIABLES)]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with Hub.open(tmp_path / "hub.db") as opened:
        yield opened


@pytest.fixture
def demo() -> pd.DataFrame:
    """Ten narratives of six incidents: four positive, five negative, one unlabelled; one is a placeholder."""
    texts = {
        "1-CME": ("V was hit by her boyfriend the week before.", 1),
        "1-LE": ("The boyfriend had shoved V in the hall, a neighbor said.", 1),
        "2-CME": ("V lived alone and was treated for heart disease.", 0),
        "2-LE": ("Officers found the door locked and nothing disturbed.", 0),
        "3-CME": ("V told a friend that she was afraid to go home.", 1),
        "3-LE": ("Need LE report", 0),
        "4-CME": ("V argued with a coworker about a parking place.", 0),
        "4-LE": ("V's husband threatened her the night before, the sister stated.", 1),
        "5-CME": ("V denied any violence by her partner at the last visit.", 0),
        "6-CME": ("V had lost his job in the spring.", None),
    }
    return pd.DataFrame(
        [
            {
                "narrative_id": one,
                "incident_id": one.split("-")[0],
                "source": one.split("-")[1],
                "narrative": text,
                "manual_flag": "" if flag is None else str(flag),
                "year": "2020",
            }
            for one, (text, flag) in texts.items()
        ]
    )


@pytest.fixture
def scripted() -> Iterator[Callable[[Callable[[dict[str, Any]], Any]], ScriptedEndpoint]]:
    """Start endpoints that answer as a function says; they are closed after the test."""
    started: list[ScriptedEndpoint] = []

    def start(script: Callable[[dict[str, Any]], Any]) -> ScriptedEndpoint:
        started.append(ScriptedEndpoint(script))
        return started[-1]

    yield start
    for endpoint in started:
        endpoint.close()


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An IPython shell with the extension loaded."""
    from IPython.core.interactiveshell import InteractiveShell  # noqa: PLC0415 - a singleton of this test alone

    monkeypatch.setenv("IPYTHONDIR", os.fspath(tmp_path / "ipython"))
    InteractiveShell.clear_instance()
    instance = InteractiveShell.instance()
    instance.run_line_magic("load_ext", "exphub_magics")
    yield instance
    instance.history_manager.end_session()
    InteractiveShell.clear_instance()
