import os
import signal
import threading
import time

import pytest

from endpoint import answer, completion
from exphub_magics import cli, experiments, prompts, specs, terminal
from exphub_magics.background import Background, started
from exphub_magics.cli import options
from exphub_magics.errors import ConfigError, EndpointError, ExphubError, LeaseError
from exphub_magics.hub import Hub

PROMPT = prompts.parse("Was the decedent hurt or threatened by a partner?")


def job(frame, endpoint=None, **more):
    served = {"provider": "scripted", "model_name": "m", "base_url": endpoint.url} if endpoint else {}
    (one,) = experiments.prepare(
        [specs.complete(specs.Spec(name="first", prompt=PROMPT, data=frame, **served, **more))]
    )
    return one


@pytest.fixture
def slow(scripted):
    endpoint = scripted(lambda _body: completion(answer(False)))
    endpoint.delay = 0.3
    return endpoint


def test_a_run_goes_on_while_its_cell_has_returned(demo, slow):
    run = Background.start("own.db", job(demo, slow, concurrency=1))
    assert (run.state, run.progress.total) == ("running", 10)
    assert "'first' in the background: running" in repr(run)
    card = run.wait()
    assert (run.state, card.counts["ok"], card.counts["pending"]) == ("done", 9, 0)


def test_a_stopped_run_keeps_what_it_has_and_a_second_one_asks_the_rest(demo, slow):
    run = Background.start("own.db", job(demo, slow, concurrency=1))
    while run.progress.asked < 2:
        time.sleep(0.02)
    asked_to = time.monotonic()
    run.stop()
    card = run.wait()
    assert time.monotonic() - asked_to < 2
    assert run.state == "stopped"
    assert 0 < card.counts["pending"] < 9
    rest = Background.start("own.db", job(demo, slow, concurrency=8)).wait()
    assert rest.counts["pending"] == 0
    assert len(slow.narratives()) <= 10  # what was in flight at the stop is asked again


def test_what_keeps_a_run_from_beginning_is_said_at_once(demo, tmp_path):
    with pytest.raises(ExphubError, match="folder"):
        Background.start(tmp_path / "nowhere" / "hub.db", job(demo))


def test_an_error_on_the_way_is_raised_where_one_waits(demo, scripted):
    endpoint = scripted(lambda _body: (401, {"error": {"message": "no"}}))
    run = Background.start("own.db", job(demo, endpoint))
    with pytest.raises(EndpointError, match="refuses the key"):
        run.wait()
    assert run.state == "failed"


def test_waiting_may_be_given_up_while_the_run_goes_on(demo, slow):
    run = Background.start("own.db", job(demo, slow, concurrency=1))
    with pytest.raises(TimeoutError, match="still goes on"):
        run.wait(timeout=0.1)
    assert run.wait().counts["pending"] == 0


def test_several_runs_share_a_hub(demo, slow):
    runs = [Background.start("own.db", job(demo, slow, temperature=n / 10)) for n in range(3)]
    assert [run.wait().counts["ok"] for run in runs] == [9, 9, 9]
    with Hub.open("own.db") as hub:
        assert len(hub.names()) == 3


def test_every_progress_is_shown_the_first_one_in_the_callers_thread(demo, slow):
    seen = []
    run = Background.start(
        "own.db", job(demo, slow), show=lambda progress: seen.append((progress.state, threading.current_thread()))
    )
    assert seen[0][1] is threading.main_thread()
    run.wait()
    assert seen[-1][0] == "done"
    assert seen[-1][1] is not threading.main_thread()


def test_a_run_of_a_hub_that_is_another_file_leaves_that_alone(demo, tmp_path):
    (tmp_path / "notes.db").write_text("something else entirely")
    with pytest.raises((ConfigError, ExphubError)):
        Background.start("notes.db", job(demo))
    assert (tmp_path / "notes.db").read_text() == "something else entirely"


def test_a_run_whose_handle_is_lost_is_found_again(demo, slow, monkeypatch, capsys):
    monkeypatch.setenv("EXPHUB_DB", "own.db")
    run = Background.start("own.db", job(demo, slow, concurrency=1, author="Ann"))
    assert started("own.db")[run.progress.experiment_id] is run
    terminal.main(["runs"])
    said = capsys.readouterr().out
    assert "first@1" in said
    assert " of 10" in said
    assert "Ann" in said
    found = cli.cli.main(["runs", "first"], standalone_mode=False, obj=options.Session())
    assert found is run
    run.stop()
    run.wait()
    terminal.main(["runs"])
    assert capsys.readouterr().out == "nothing is being run\n"


def test_a_run_of_another_process_has_no_handle_here(demo, slow, monkeypatch, capsys):
    monkeypatch.setenv("EXPHUB_DB", "other.db")
    with Hub.open("other.db") as hub:
        list(experiments.run(hub, job(demo)))
    with pytest.raises(SystemExit):
        terminal.main(["runs", "first"])
    assert "has no run in the background here" in capsys.readouterr().err


def test_a_button_stops_a_run_and_goes_with_it(demo, slow, shell):
    from IPython.utils.capture import capture_output  # noqa: PLC0415 - this test alone

    from exphub_magics import widgets  # noqa: PLC0415

    with capture_output() as caught:
        show = widgets.beside_cells()
        run = Background.start("own.db", job(demo, slow, concurrency=1), show=show)
        show.offer(run.stop)
    assert show.button.description == "Stop"
    assert caught.outputs
    show.button.click()
    assert run.wait().counts["pending"] > 0
    assert run.state == "stopped"
    assert show.button.comm is None  # closed


def test_an_interrupted_wait_leaves_the_run_alone_and_its_lease_with_it(demo, slow):
    run = Background.start("own.db", job(demo, slow, concurrency=1))
    timer = threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run.wait()
    assert run.state == "running"
    with pytest.raises(LeaseError, match="is being run by"):
        Background.start("own.db", job(demo, slow))
    assert run.wait().counts["pending"] == 0
    assert len(slow.narratives()) == 9
