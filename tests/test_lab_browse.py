"""The panel `browse` in JupyterLab, as a person uses it: by mouse and by keys, and when something is amiss."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

import browsed
import lab
from exphub_magics import experiments, prompts, specs
from exphub_magics.hub import Hub

pytestmark = lab.MARKS

PROMPT = "Is there evidence that the decedent was physically abused or threatened by a current or former partner?"
INDIRECT = f"{PROMPT}\nIndirect evidence counts: a shelter, a protective order, fear of the partner."
LONG = "V was afraid of him. " * 50_000
ODD = {
    "1-CME": (True, f"{browsed.HOSTILE} V was afraid of him. {browsed.HOSTILE}"),
    "1-LE": (False, LONG),
    f"{browsed.HOSTILE}-X": (False, "An odd id."),
    "2-LE": (None, "No label."),
}


def fill(file: Path):
    with Hub.open(file) as hub:
        for text in (PROMPT, INDIRECT):
            list(experiments.run(hub, specs.Spec(name="partner", prompt=prompts.parse(text), data="sample")))
        odd = browsed.dataset(hub, ODD, "odd.csv")
        answers = {
            "1-CME": ("ok", False, 0.5),
            "1-LE": ("ok", True, 0.5),
            f"{browsed.HOSTILE}-X": ("failed", None, None),
        }
        rational = f"“afraid of him” {browsed.HOSTILE}"
        browsed.experiment(hub, f"odd {browsed.HOSTILE}", odd, answers, rational=rational)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A JupyterLab beside a hub with three experiments, and a browser, for all tests here."""
    folder = tmp_path_factory.mktemp("lab")
    fill(folder / "exphub.db")
    with lab.desk(folder) as (address, started):
        yield folder, address, started


@pytest.fixture
def opened(browser):
    with lab.opening(*browser) as opened:
        yield opened


def rows(output):
    return output.locator(".browse-list tbody tr")


def heading(output):
    return output.locator(".browse-narrative strong")


def status(output):
    return output.get_by_role("status").last


def pressed(output, name):
    expect(output.get_by_role("button", name=name).first).to_have_attribute("aria-pressed", "true")


def test_a_person_goes_by_mouse_and_keys_from_the_leaderboard_to_the_narratives_that_are_missed(opened):
    notebook = opened("%exphub browse partner@1")
    output, keyboard = notebook.run(1), notebook.page.keyboard
    expect(output.get_by_role("region", name="ExpHub browse")).to_be_visible()
    expect(status(output)).to_have_text("1,119 of 1,119 narratives, 1 – 50 shown")
    expect(rows(output)).to_have_count(50)

    output.get_by_role("button", name="partner@1").focus()
    keyboard.press("ArrowUp")
    keyboard.press("Enter")
    pressed(output, "partner@2")
    expect(output.get_by_role("button", name="partner@2").first).to_be_focused()
    missed = output.get_by_role("button", name="manual yes, not flagged: 12 narratives, 9 % of the row")
    missed.click()
    expect(rows(output)).to_have_count(12)
    pressed(output, "manual yes, not flagged")
    expect(output.get_by_label("outcome")).to_have_value("fn")
    missed.focus()
    keyboard.press("ArrowDown")
    keyboard.press("ArrowLeft")
    expect(output.get_by_role("button", name="manual no, flagged: 190 narratives")).to_be_focused()

    first, second = (rows(output).nth(place).get_by_role("button").inner_text() for place in (0, 1))
    rows(output).nth(0).click()
    expect(heading(output)).to_contain_text(first)
    expect(output.locator(".browse-narrative")).to_be_focused()
    keyboard.press("j")
    expect(heading(output)).to_contain_text(second)
    expect(output.locator(".browse-narrative")).to_contain_text("2 of 12")
    expect(rows(output).nth(1)).to_have_attribute("aria-current", "true")
    keyboard.press("ArrowLeft")
    expect(heading(output)).to_contain_text(first)
    expect(output.get_by_role("button", name="‹ Previous", exact=True)).to_be_disabled()
    output.get_by_role("button", name="Next ›", exact=True).click()
    expect(heading(output)).to_contain_text(second)
    output.get_by_text("raw reply").click()
    expect(output.locator(".browse-reply")).to_contain_text('"flag": false')
    output.get_by_role("button", name="partner@1").last.click()  # what the other version says of it
    pressed(output, "partner@1")
    expect(heading(output)).to_contain_text(second)


def test_flips_and_a_search_are_found_again_in_a_new_kernel_by_the_line_that_is_shown(opened):
    notebook = opened("%exphub browse partner@1", "")
    output = notebook.run(1)
    output.get_by_label("against").select_option("partner@2")
    output.get_by_label("flips").select_option("newly right")
    expect(status(output)).to_have_text("79 of 1,119 narratives, 1 – 50 shown")
    output.get_by_role("button", name="Next 50 ›").click()
    expect(rows(output)).to_have_count(29)

    search = output.get_by_label("search")
    search.press_sequentially("order", delay=20)
    expect(status(output)).not_to_contain_text("79 of")
    expect(search).to_be_focused()
    expect(search).to_have_value("order")
    chosen = rows(output).nth(3).get_by_role("button").inner_text()
    rows(output).nth(3).click()
    expect(heading(output)).to_contain_text(chosen)
    line = output.get_by_label("the line that opens this place again").input_value()
    assert line == f"%exphub browse partner@1 --against partner@2 --flips right --search order --narrative {chosen}"
    count = status(output).inner_text()

    notebook.restart()
    rows(output).nth(0).click()
    expect(output.locator(".exphub-line")).to_contain_text("then this cell again; the hub has kept everything")
    notebook.run(0)
    notebook.edit(2, line)
    again = notebook.run(2)
    expect(heading(again)).to_contain_text(chosen)
    expect(status(again)).to_have_text(count)


def test_it_fits_and_can_be_read_in_both_themes(opened):
    notebook = opened("%exphub browse partner@2 --outcome fp --against partner@1 --source CME")
    output = notebook.run(1)
    rows(output).nth(0).click()
    expect(output.locator(".browse-narrative mark").first).to_be_visible()
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        notebook.theme(theme)
        panel = output.locator(".exphub-browse")
        expect(panel).to_be_visible()
        assert panel.evaluate("one => one.scrollWidth <= one.clientWidth")
        assert panel.evaluate(lab.FAINT) == []
    for field in output.locator("button, input, select").all():
        assert field.evaluate("one => one.labels?.length || one.textContent || one.ariaLabel"), field
    names = output.locator(".exphub-browse [id]").evaluate_all("all => all.map(one => one.id)")
    assert len(names) == len(set(names))


def test_what_people_and_models_wrote_stays_text(opened):
    notebook = opened("%exphub browse")
    output, page = notebook.run(1), notebook.page
    expect(status(output)).to_have_text("4 of 4 narratives")
    expect(output.get_by_label("search")).to_be_visible()  # beside a long name too
    for place in range(4):
        rows(output).nth(place).click()
        expect(rows(output).nth(place)).to_have_attribute("aria-current", "true")
        if place == 0:
            expect(output.locator(".browse-narrative .exphub-text").first).to_have_text(ODD["1-CME"][1])
            expect(output.locator(".browse-narrative mark", has_text="afraid of him")).to_be_visible()
    expect(output.locator(".browse-narrative")).to_contain_text("pending")
    assert output.locator(".exphub-browse").locator("script, img, b[onclick], [onerror]").count() == 0
    rows(output).nth(2).click()
    expect(output.locator(".browse-narrative")).to_contain_text("why failed")
    output.get_by_label("against").select_option("partner@1")
    expect(output.get_by_role("columnheader", name="partner@1")).to_be_visible()
    assert page.evaluate("() => window.alive") is None


def test_a_long_text_comes_in_two_steps_and_goes_with_its_narrative(opened):
    notebook = opened("%exphub browse")
    output = notebook.run(1)
    rows(output).nth(1).click()
    text = output.locator(".browse-narrative .exphub-text").first
    rest = output.get_by_role("button", name=re.compile("Show the rest"))
    expect(rest).to_be_visible()
    assert len(text.text_content()) == 20_000
    rest.click()
    expect(rest).to_have_count(0)
    assert len(text.text_content()) == len(LONG)
    notebook.page.keyboard.press("j")
    expect(heading(output)).to_contain_text("-X")
    assert len(output.locator(".exphub-browse").text_content()) < 20_000


def test_a_busy_kernel_is_said_and_answers_then_and_what_is_not_there_is_one_line(opened):
    # Where a cell only waits, panels are answered meanwhile; this one keeps the interpreter to itself.
    busy = "import ctypes, time; print('begun', flush=True); time.sleep(0.5); ctypes.PyDLL(None).sleep(8)"
    notebook = opened("%exphub browse", busy, "%exphub browse --db empty.db", "%exphub browse nobody")
    output = notebook.run(1)
    # A run that was stopped leaves narratives without an answer; they are counted and listed.
    output.get_by_role("button", name="unlabelled, no answer: 1 narratives").click()
    expect(rows(output)).to_have_count(1)
    expect(rows(output)).to_contain_text("pending")
    expect(notebook.start(2)).to_contain_text("begun")
    notebook.page.wait_for_timeout(1000)
    output.get_by_role("button", name="manual no, flagged: 1 narratives").click()
    expect(output.locator(".exphub-line")).to_contain_text("The kernel has not answered yet: it is at work")
    expect(rows(output)).to_contain_text("1-LE")
    expect(output.locator(".exphub-line")).to_have_text("")
    expect(notebook.run(3)).to_contain_text("there is no hub at empty.db")
    nobody = notebook.run(4)
    expect(nobody).to_contain_text("no experiment is called 'nobody'")
    assert "Traceback" not in nobody.inner_text()
