import json

import pytest

from exphub_magics import experiments, prompts, specs
from exphub_magics.errors import ConfigError
from exphub_magics.hub import Hub
from exphub_magics.widgets.panels import Panel


class Texts(Panel):
    actions = {"text": "text", "refuse": "refuse"}  # noqa: RUF012 - as the panels have it

    def begin(self, hub):
        return {"n": hub.counts(1)["total"]}

    def text(self, hub, narrative):
        (found,) = [one for one in hub.pending(1) if one.narrative_id == narrative]
        return {"text": found.narrative}

    def refuse(self, _hub):
        raise ConfigError("not that: this")

    @property
    def summary(self):
        return f"texts: {self.shown}"


@pytest.fixture
def panel(hub, demo):
    next(stream := experiments.run(hub, specs.Spec(name="first", prompt=prompts.parse("Hit?"), data=demo)))
    stream.close()
    return Texts(hub.file)


def sent(panel, monkeypatch):
    messages = []
    monkeypatch.setattr(panel, "send", messages.append)
    return messages


def ask(panel, number, action, **said):
    panel._asked(panel, {"number": number, "action": action, **said}, [])  # noqa: SLF001 - as the page does


def test_a_page_that_opens_is_shown_what_is_there(panel, monkeypatch):
    messages = sent(panel, monkeypatch)
    ask(panel, 1, "show")
    assert (messages, panel.heard) == ([{"shown": {"n": 10}}], 1)


def test_an_action_shows_anew_and_a_refusal_leaves_what_was_shown(panel, monkeypatch):
    messages = sent(panel, monkeypatch)
    ask(panel, 1, "text", narrative="1-CME")
    ask(panel, 2, "refuse")
    assert messages == [{"shown": {"text": "V was hit by her boyfriend the week before."}}]
    assert (panel.problem, panel.heard) == ("not that: this", 2)
    ask(panel, 3, "text", narrative="1-LE")
    assert panel.problem == ""


def test_no_narrative_is_in_the_state_that_a_notebook_is_saved_with(panel):
    panel.do("text", narrative="1-CME")
    assert "boyfriend" in json.dumps(panel.as_json())
    assert "boyfriend" not in json.dumps(panel.get_state(), default=str)


def test_each_action_works_on_the_hub_as_it_is_then(panel, hub):
    panel.do("text", narrative="1-CME")
    hub.close()
    panel.file.unlink()
    panel.do("text", narrative="1-LE")
    assert "there is no hub" in panel.problem
    assert "boyfriend" in panel.shown["text"]


def test_what_stands_for_a_panel_is_its_summary(panel):
    assert panel._repr_mimebundle_()[0]["text/plain"] == repr(panel) == "texts: {'n': 10}"


def test_a_panel_over_nothing_is_an_error_with_the_next_step(tmp_path):
    with pytest.raises(Exception, match="there is no hub"):
        Texts(tmp_path / "none.db")
    with Hub.open(tmp_path / "made.db"):
        pass


def test_another_hub_in_the_place_of_the_one_shown_is_said(panel, hub, demo, tmp_path):
    hub.close()
    with Hub.open(tmp_path / "other.db") as other:
        next(stream := experiments.run(other, specs.Spec(name="zzz", prompt=prompts.parse("Shot?"), data=demo)))
        stream.close()
    for file in tmp_path.glob("hub.db*"):
        file.unlink()
    (tmp_path / "other.db").rename(panel.file)
    panel.do("text", narrative="1-CME")
    assert panel.problem == "hub.db is another hub now than the one shown here: run the cell again"
    assert panel.shown == {"n": 10}


def test_what_nobody_foresaw_is_said_in_a_line_too(panel, monkeypatch):
    monkeypatch.setattr(panel, "refuse", lambda _hub: "\ud800".encode())
    with pytest.raises(UnicodeEncodeError):
        panel.do("refuse")
    assert panel.problem == "that could not be done, and nothing of it was kept (UnicodeEncodeError)"
