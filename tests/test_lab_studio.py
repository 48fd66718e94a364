"""What a person does in the prompt studio, in a real JupyterLab."""

import re
import sqlite3
import time
from contextlib import closing

import pytest
from playwright.sync_api import expect

import lab
from endpoint import answer, completion
from exphub_magics.hub import Hub, drafts

pytestmark = lab.MARKS

PROMPT = "Is there evidence that the decedent was physically abused or threatened by a current or former partner?"
MORE = " Indirect evidence counts: a shelter, a protective order, fear of the partner."
HOSTILE = '</textarea><img src=x onerror="window.caught=1"><script>window.caught=1</script><b>bold</b>'


@pytest.fixture(scope="module")
def lab_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def browsing(lab_folder):
    with lab.desk(lab_folder) as (address, browser):
        yield address, browser


@pytest.fixture
def opened(lab_folder, browsing, request):
    """Open notebooks over a hub of this test's own, `opened.hub`."""
    name = request.node.name[:20]
    with lab.opening(lab_folder, *browsing, begin=f"%env EXPHUB_DB={name}.db") as opened:
        opened.hub = lab_folder / f"{name}.db"
        yield opened


def prompt_in(output):
    return output.get_by_label("Prompt", exact=True)


def append(notebook, output, words):
    prompt_in(output).click()
    notebook.page.keyboard.press("Control+End")
    notebook.page.keyboard.type(words)


def test_four_actions_lead_from_an_opened_notebook_to_the_flips_and_a_restart_loses_nothing(opened, lab_folder):
    notebook = opened("%exphub studio --sample 50")
    output = notebook.run(1)  # 1: run the cell; on an empty hub it opens on an example
    expect(output).to_contain_text("parent: an example")
    expect(output).to_contain_text("50 narratives: costs nothing")
    append(notebook, output, MORE)  # 2: edit
    notebook.page.keyboard.press("Control+Enter")  # 3: try
    expect(output).to_contain_text("example.try@1 against example.parent@1")
    expect(output.get_by_role("rowheader", name="newly", exact=False).first).to_be_visible()
    expect(output.get_by_role("row", name="recall .")).to_be_visible()
    assert notebook.page.evaluate("() => document.activeElement.tagName") == "TEXTAREA", "the focus was lost"
    assert notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex") == 1

    # Arrow keys go through the list, each narrative beside its rational.
    first = output.locator("tr[data-case] button").first
    first.focus()
    notebook.page.keyboard.press("ArrowDown")
    second = output.locator("tr[data-case]").nth(1).get_attribute("data-case")
    expect(output.locator("h3", has_text=second)).to_be_visible()
    expect(output.get_by_role("region", name="Narrative")).not_to_be_empty()
    expect(output.locator("ins").first).to_contain_text("Indirect evidence")

    # A misspelt slot is said before anything is run.
    append(notebook, output, " {{ narrativ }}")
    notebook.page.keyboard.press("Enter")  # which JupyterLab keeps from breaking a line, as such
    expect(prompt_in(output)).to_have_value(f"{PROMPT}{MORE} {{{{ narrativ }}}}\n")
    notebook.page.keyboard.press("Backspace")
    expect(output.get_by_role("alert")).to_contain_text("did you mean 'narrative'?")

    # The page says that the kernel is gone; the cell run again brings back what was written, and the tries.
    notebook.restart()
    append(notebook, output, " More.")
    expect(output).to_contain_text("then this cell again", timeout=15_000)
    notebook.run(0)
    output = notebook.run(1)
    expect(output).to_contain_text("A draft of")
    expect(prompt_in(output)).to_have_value(f"{PROMPT}{MORE} {{{{ narrativ }}}}")
    expect(output).to_contain_text("example.try@1 against example.parent@1")
    output.get_by_role("button", name="Back to the parent’s text").click()
    expect(prompt_in(output)).to_have_value(PROMPT)
    output.get_by_role("button", name="Take the text of").first.click()
    expect(prompt_in(output)).to_have_value(f"{PROMPT}{MORE} {{{{ narrativ }}}}")

    # Saved as a file, never over another text; and as a cell.
    output.get_by_role("button", name="Write on from this try’s prompt").click()
    expect(prompt_in(output)).to_have_value(f"{PROMPT}{MORE}")
    (lab_folder / "prompts").mkdir()
    (lab_folder / "prompts" / "mine.txt").write_text("another prompt\n")
    output.get_by_label("Save in prompts/ as").fill("mine")
    output.get_by_role("button", name="Save", exact=True).click()
    expect(output).to_contain_text("prompts/mine.txt is there with another text")
    output.get_by_role("button", name="Save as mine-2").click()
    expect(output).to_contain_text("saved as prompts/mine-2.txt")
    assert (lab_folder / "prompts" / "mine-2.txt").read_text() == f"{PROMPT}{MORE}\n"
    assert (lab_folder / "prompts" / "mine.txt").read_text() == "another prompt\n"
    output.get_by_text("As a cell").click()
    expect(output.get_by_label("The cell’s text")).to_have_value(
        f"%%experiment example --data sample --sample 50 --stratified\n{PROMPT}{MORE}"
    )


def test_a_try_goes_on_while_other_cells_work_and_a_stopped_one_shows_what_it_has(opened, scripted):
    endpoint = scripted(lambda body: completion(answer("threat" in body["messages"][-1]["content"], HOSTILE)))
    served = f"--provider scripted --model m --base-url {endpoint.url} --concurrency 2"
    notebook = opened(
        f"%%experiment first --data sample --sample 60 --stratified {served}\n{PROMPT} {HOSTILE}",
        "%exphub studio first --concurrency 2",
        "print(6 * 7)",
        "import time; time.sleep(6)",
    )
    notebook.run(1)
    asked = len(endpoint.requests)
    output = notebook.run(2)
    expect(output).to_contain_text("parent: first@1 · scripted m")
    append(notebook, output, " Answer no in doubt.")
    expect(output).to_contain_text(re.compile(r"60 narratives: about \d+ calls.*All narratives: about 1,0\d\d calls"))
    assert len(endpoint.requests) == asked, "something was asked before Try was pressed"
    endpoint.delay = 0.25
    output.get_by_role("button", name="Try", exact=True).click()
    expect(output.get_by_role("progressbar")).to_be_visible()
    assert "42" in notebook.run(3).inner_text(), "the kernel is kept busy by a try"
    expect(output).to_contain_text("flagged")
    while (lab.finished(output) or 0) < 5:
        time.sleep(0.05)
    output.get_by_role("button", name="Stop").click()
    expect(output).to_contain_text("stopped:", timeout=15_000)
    expect(output).to_contain_text("first.try@1 against first@1")
    stopped = len(endpoint.requests)
    time.sleep(1)
    assert len(endpoint.requests) == stopped, "it goes on asking after it was stopped"

    # The rest is asked, and nothing twice, by the same button.
    endpoint.delay = 0
    output.get_by_role("button", name="Try", exact=True).click()
    expect(output).to_contain_text("all 60 narratives have their result")
    assert len(endpoint.requests) - asked <= 60 + 4, "what was answered was asked again"

    # What people and models write is text.
    expect(output.locator(".exphub-said").first).to_contain_text("<script>")
    assert notebook.page.evaluate("() => window.caught") is None
    assert output.locator("img, script, .exphub-panel b:has-text('bold')").count() == 0

    # While a cell keeps the kernel at work, what is typed is kept, at once or when the cell has ended.
    notebook.start(4)
    append(notebook, output, " And later.")
    expect(output.locator("ins").first).to_contain_text("And later.")
    expect(output.locator(".exphub-line")).to_be_empty()
    with Hub.open(opened.hub) as hub:
        assert drafts.find(hub, "first@1").text.endswith("And later.")


def test_a_narrative_of_a_megabyte_is_shown_from_its_beginning(opened, lab_folder):
    text = "V was at home and was threatened by her husband. " + "Nobody else was there. " * 45_000
    other = "V was hit by her husband. <img src=x onerror=window.caught=1>"
    (lab_folder / "rows.csv").write_text(f'narrative_id,narrative,manual_flag\n1,"{text}",0\n2,"{other}",1\n')
    notebook = opened("%exphub studio --data rows.csv")
    output = notebook.run(1)
    append(notebook, output, " Only physical violence.")
    notebook.page.keyboard.press("Control+Enter")
    expect(output).to_contain_text("all 2 narratives have their result")
    expect(output.locator("tr[data-case='1']")).to_be_visible()
    output.get_by_role("button", name="1", exact=True).click()
    narrative = output.get_by_role("region", name="Narrative")
    assert len(narrative.inner_text()) < 25_000
    output.get_by_role("button", name="Show the rest").click()
    expect(output.get_by_role("button", name="Show the rest")).to_have_count(0)
    assert narrative.evaluate("node => node.textContent.length") == len(text)
    assert notebook.page.evaluate("() => window.caught") is None
    box = output.locator(".exphub-panel")
    assert box.evaluate("node => node.scrollWidth <= node.clientWidth"), "the page has to be scrolled sideways"


def test_two_studios_on_one_prompt_keep_what_both_write_and_say_so(opened):
    notebook = opened("%exphub studio --data sample", "%exphub studio --data sample")
    first, second = notebook.run(1), notebook.run(2)
    append(notebook, first, " First.")
    expect(first).to_contain_text("Back to the parent’s text")
    append(notebook, second, " Second.")
    taken = second.get_by_role("button", name="Take the text of")
    expect(taken).to_be_visible()
    expect(second).to_contain_text("Another text of this prompt stood here")
    assert second.locator(".exphub-panel, [class^=exphub-]").first.evaluate(lab.FAINT) == []
    expect(prompt_in(second)).to_have_value(f"{PROMPT} Second.")
    taken.focus()
    notebook.page.keyboard.press("Enter")
    expect(prompt_in(second)).to_have_value(f"{PROMPT} First.")
    expect(second).not_to_contain_text("Another text")
    expect(taken).to_be_focused()  # for the text that was there before
    taken.click()
    expect(prompt_in(second)).to_have_value(f"{PROMPT} Second.")


def test_what_is_typed_while_the_hub_is_locked_outlives_a_button_that_replaces_it(opened):
    notebook = opened("%exphub studio --data sample")
    output = notebook.run(1)
    append(notebook, output, " First.")
    expect(output).to_contain_text("Back to the parent’s text")
    with closing(sqlite3.connect(opened.hub, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        append(notebook, output, " Second.")
        output.get_by_role("button", name="Back to the parent’s text").click()
        time.sleep(3)
        other.rollback()
    expect(output.locator(".exphub-studio[aria-busy]")).to_have_count(0)
    with Hub.open(opened.hub) as hub:
        held = {one.text for one in drafts.kept(hub, ["an example"])}
    assert f"{PROMPT} First. Second." in held | {prompt_in(output).input_value()}
