"""What a person does in JupyterLab: run a cell, watch it, stop it, run it again, look at the chart."""

import time

import pytest
from playwright.sync_api import expect

import lab
from endpoint import answer, completion

pytestmark = lab.MARKS

PROMPT = "Was the decedent hit, threatened, stalked or controlled by a current or former partner?"
NARRATIVES = 200


def served(endpoint, name, prompt):
    options = f"--data sample --sample {NARRATIVES} --concurrency 4 --provider scripted --model m"
    return f"%%experiment {name} {options} --base-url {endpoint.url}\n{prompt}"


@pytest.fixture
def opened(tmp_path):
    """Open a notebook of these cells in a real JupyterLab."""
    with lab.server(tmp_path) as address, lab.chromium() as browser:

        def opened(*sources):
            file = lab.Notebook.write(tmp_path / "work.ipynb", "%load_ext exphub_magics", *sources)
            notebook = lab.Notebook(browser.new_page(), address, file)
            notebook.run(0)
            return notebook

        yield opened


def test_a_person_runs_watches_stops_and_resumes_an_experiment(opened, scripted):
    endpoint = scripted(lambda body: completion(answer("threat" in body["messages"][-1]["content"])))
    endpoint.delay = 0.05
    notebook = opened(
        served(endpoint, "first", PROMPT),
        served(endpoint, "second", f"{PROMPT} Answer no in doubt."),
        served(endpoint, "first", f"{PROMPT} Indirect evidence counts."),
    )

    output = notebook.start(1)
    seen = []
    deadline = time.monotonic() + lab.SECONDS
    while time.monotonic() < deadline and len(set(seen)) < 4:
        if output.count() and (finished := lab.finished(output)) is not None:
            seen.append(finished)
        time.sleep(0.1)
    assert seen == sorted(seen)
    assert len(set(seen)) >= 4, "the bar does not move"
    expect(output.locator(".js-plotly-plot")).to_be_visible(timeout=lab.SECONDS * 1000)
    expect(output).to_contain_text("first v1 · scripted m · sample, 200 narratives")
    expect(output.get_by_role("row", name="recall")).to_be_visible()

    output = notebook.start(2)
    expect(output).to_contain_text("■ stops it")
    while (lab.finished(output) or 0) < NARRATIVES // 4:
        time.sleep(0.05)
    pressed = time.monotonic()
    notebook.stop()
    expect(output).to_contain_text("Stopped. Everything answered is kept", timeout=10_000)
    assert time.monotonic() - pressed < 5
    asked = len(endpoint.requests)
    time.sleep(0.5)
    assert len(endpoint.requests) == asked, "it goes on asking after it was stopped"

    output = notebook.start(2)
    expect(output).to_contain_text("second v1")
    expect(output.locator(".js-plotly-plot")).to_be_visible()
    evaluable = len(set(endpoint.narratives()))
    assert len(endpoint.requests) <= 2 * evaluable + 4, "what was answered was asked again"

    asked = len(endpoint.requests)
    notebook.restart()
    notebook.run(0)
    expect(notebook.run(1)).to_contain_text("first: nothing to ask: every narrative has its result")
    assert len(endpoint.requests) == asked, "a new kernel asks anew"

    output = notebook.run(3)
    expect(output).to_contain_text("Since v1")
    expect(output).to_contain_text("Indirect evidence counts.")


def test_a_card_stays_readable_in_both_themes_and_in_a_kernel_that_knows_nothing(opened):
    notebook = opened(f"%%experiment quick --data sample\n{PROMPT}")
    output = notebook.run(1)
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        notebook.theme(theme)
        expect(output.locator(".js-plotly-plot")).to_be_visible()
        expect(output).to_contain_text("quick v1 · builtin rules-1")
    notebook.save()
    notebook.page.evaluate("() => window.jupyterapp.commands.execute('notebook:shutdown-kernel')")
    notebook.page.reload()
    output = notebook.output(1)
    # JupyterLab shows the picture that it saved beside the figure until the pointer comes near.
    expect(output.locator(".js-plotly-plot, img.plot-img").first).to_be_visible()
    expect(output.get_by_role("row", name="precision")).to_be_visible()


def test_a_typo_in_a_cell_is_one_line(opened):
    output = opened("%exphub shwo first").run(1)
    expect(output).to_contain_text("unknown verb 'shwo': did you mean 'show'?")
    assert "Traceback" not in output.inner_text()
