"""The panel `review` in JupyterLab, as a person uses it: by keys alone, and when something is amiss."""

import shutil

import pytest
from playwright.sync_api import expect

import browsed
import lab
from exphub_magics import experiments, prompts, reviewing, specs
from exphub_magics.hub import Hub, labels
from exphub_magics.reviewing import queues

pytestmark = lab.MARKS

PROMPT = "Is there evidence that the decedent was physically abused or threatened by a current or former partner?"
LONG = "V was afraid of him. " * 50_000
ODD = {
    "1-CME": (False, f"{browsed.HOSTILE} V was afraid of him. {browsed.HOSTILE}"),
    "1-LE": (False, LONG),
    f"{browsed.HOSTILE}-X": (False, "An odd id."),
    "2-LE": (True, "Not answered yet."),
}
CODED = 30  # narratives that are decided by keys alone


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A hub with partner@1 over the sample, and with one whose prompt was answered by somebody hostile."""
    file = tmp_path_factory.mktemp("hub") / "exphub.db"
    with Hub.open(file) as hub:
        list(experiments.run(hub, specs.Spec(name="partner", prompt=prompts.parse(PROMPT), data="sample")))
        odd = browsed.dataset(hub, ODD, "odd.csv")
        answers = dict.fromkeys(list(ODD)[:3], ("ok", True, 0.9))
        browsed.experiment(hub, f"odd {browsed.HOSTILE}", odd, answers, rational=f"“afraid of him” {browsed.HOSTILE}")
    return file


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A JupyterLab and a browser for all tests here."""
    folder = tmp_path_factory.mktemp("lab")
    with lab.desk(folder) as (address, started):
        yield folder, address, started


@pytest.fixture
def opened(browser, filled):
    """Open notebooks over a hub of this test's own, `own.db`."""
    folder, *_ = browser
    shutil.copy(filled, folder / "own.db")
    with lab.opening(*browser, begin="%env EXPHUB_DB=own.db") as opened:
        yield opened
    for left in folder.glob("own.db*"):
        left.unlink()


def begin(output):
    """Click into the text, from where on keys are enough."""
    text = output.get_by_role("document", name="the narrative")
    text.click()
    expect(text).to_be_focused()
    return text


def place(output):
    return output.locator("h3").inner_text()


def at(output, number, total):
    expect(output.locator("h3")).to_contain_text(f"{number} of {total}")


def press(notebook, output, key):
    """Press a key that decides, once the narrative before is through."""
    expect(output.locator(".exphub-review[aria-busy]")).to_have_count(0)
    notebook.page.keyboard.press(key)


def words(folder, coder):
    with Hub.open(folder / "own.db") as hub:
        return [said.word for said in labels.decisions(hub, 1, coder).values()]


def test_narratives_are_decided_by_keys_alone_and_a_closed_browser_loses_nothing(opened, browser):
    folder, *_ = browser
    notebook = opened("%exphub review partner --coder Ann")
    output = notebook.run(1)
    expect(output.get_by_role("region", name="ExpHub review")).to_contain_text("coder Ann · false positives 111")
    idle = output.get_by_text("Click into the narrative: from then on the keys work.")
    expect(idle).to_be_visible()
    begin(output)
    expect(idle).to_be_hidden()
    output.get_by_text("What the model was asked").click()
    expect(output.get_by_text(PROMPT)).to_be_visible()
    begin(output)
    cells = notebook.page.locator(".jp-Notebook .jp-Cell").count()
    keys = ["y", "n", "u"] * (CODED // 3)
    for number, key in enumerate(keys[: CODED // 2], 1):
        press(notebook, output, key)
        at(output, number + 1, 144)
    expect(output.locator(".review-last")).to_contain_text("You said")
    # None of these keys was a command of JupyterLab's: no cell was made, cut, merged or turned into text.
    assert notebook.page.locator(".jp-Notebook .jp-Cell").count() == cells
    assert notebook.page.locator(".jp-CodeCell").count() == cells
    before = words(folder, "Ann")
    notebook.page.close()
    assert before == [{"y": "yes", "n": "no", "u": "unsure"}[key] for key in keys[: CODED // 2]]

    notebook = opened("%exphub review partner --coder Ann")
    output = notebook.run(1)
    at(output, CODED // 2 + 1, 144)
    begin(output)
    for number, key in enumerate(keys[CODED // 2 :], CODED // 2 + 1):
        press(notebook, output, key)
        at(output, number + 1, 144)
    assert len(words(folder, "Ann")) == CODED
    with Hub.open(folder / "own.db") as hub:
        queue = queues.queue(hub, "partner", coder="Ann")
        assert list(reviewing.decided(hub, queue)) == [entry.narrative_id for entry in queue.entries[:CODED]]


def test_notes_quotations_undo_and_the_way_back_need_no_mouse(opened, browser):
    folder, *_ = browser
    notebook = opened("%exphub review partner --coder Ann")
    output, keyboard = notebook.run(1), notebook.page.keyboard
    begin(output)
    first = place(output)
    keyboard.press("m")
    note = output.get_by_label("Note m")
    expect(note).to_be_focused()
    keyboard.type("y or n? zzz")  # letters here are words
    keyboard.press("Enter")
    expect(output.get_by_role("document")).to_be_focused()
    assert words(folder, "Ann") == [] or words(folder, "Ann") == ["undecided"]
    press(notebook, output, "y")
    at(output, 2, 144)
    expect(note).to_have_value("")
    keyboard.press("k")
    at(output, 1, 144)
    expect(note).to_have_value("y or n? zzz")
    expect(output.get_by_role("button", name="Yes")).to_have_attribute("aria-pressed", "true")

    output.locator("#review-text").evaluate("""one => {
        const range = document.createRange();
        range.setStart(one.firstChild, 0); range.setEnd(one.firstChild, 12);
        getSelection().removeAllRanges(); getSelection().addRange(range); }""")
    press(notebook, output, "e")
    expect(note).to_have_value(f"y or n? zzz “{output.locator('#review-text').text_content()[:12].strip()}”")
    expect(output.get_by_text("Everything said of this narrative (4)")).to_be_visible()
    for said in ("Everything said of this narrative (5)", "Everything said of this narrative (6)"):
        press(notebook, output, "z")  # the quotation, then the decision
        expect(output.get_by_text(said)).to_be_visible()
    assert place(output) == first
    expect(output.get_by_role("button", name="Yes")).to_have_attribute("aria-pressed", "false")
    expect(note).to_have_value("y or n? zzz")

    keyboard.press("?")
    expect(output.get_by_role("rowheader", name="z", exact=True)).to_be_visible()
    press(notebook, output, "n")
    at(output, 2, 144)
    keyboard.press("a")
    expect(output.get_by_role("row", name="manual and Ann")).to_contain_text("1")
    expect(output.get_by_role("row", name="precision")).to_be_visible()
    # Everything that can be pressed is reached by Tab, in the order in which it stands.
    output.get_by_role("button", name="Yes").focus()
    names = []
    for _ in range(6):
        names.append(notebook.page.evaluate("() => document.activeElement.id"))
        keyboard.press("Tab")
    assert names == [f"review-{one}" for one in ("yes", "no", "unsure", "undo", "previous", "next")]


def test_a_key_right_behind_a_note_counts_one_before_the_next_narrative_is_said_and_the_focus_stays(opened, browser):
    folder, *_ = browser
    notebook = opened("%exphub review partner --coder Ann", "import time; time.sleep(3)")
    output, keyboard = notebook.run(1), notebook.page.keyboard
    begin(output)
    keyboard.press("m")
    keyboard.type("the porch")
    keyboard.press("Enter")
    keyboard.press("y")  # at once, with the note on its way
    at(output, 2, 144)
    keyboard.press("m")
    keyboard.type("the lock")
    output.locator("#review-no").click()
    at(output, 3, 144)
    with Hub.open(folder / "own.db") as hub:
        assert [(one.word, one.note) for one in labels.decisions(hub, 1, "Ann").values()] == [
            ("yes", "the porch"),
            ("no", "the lock"),
        ]

    text = output.get_by_role("document", name="the narrative")
    undo, previous = (output.locator(f"#review-{name}") for name in ("undo", "previous"))
    expect(output.locator(".exphub-review[aria-busy]")).to_have_count(0)
    undone = 0
    while undo.is_enabled():  # decisions and notes
        undo.click()
        undone += 1
        expect(output.locator(".exphub-review[aria-busy]")).to_have_count(0)
    assert undone == 4
    expect(text).to_be_focused()
    press(notebook, output, "j")
    expect(previous).to_be_enabled()
    while previous.is_enabled():
        previous.click()
        expect(output.locator(".exphub-review[aria-busy]")).to_have_count(0)
    expect(text).to_be_focused()

    notebook.start(2)
    notebook.kernel("busy")
    begin(output)
    for key in "yy":
        keyboard.press(key)
    at(output, 2, 144)
    assert words(folder, "Ann").count("yes") == 1


def test_a_note_that_is_being_written_when_the_next_narrative_comes_stays_whole_and_with_its_own(opened, browser):
    folder, *_ = browser
    notebook = opened("%exphub review partner --coder Ann")
    output, page = notebook.run(1), notebook.page
    begin(output)
    page.evaluate(
        "['yes', 'note'].forEach(one => document.getElementById(`review-${one}`)[one === 'yes' ? 'click' : 'focus']())"
    )
    missed, note = output.locator(".review-missed"), output.get_by_label("Note m")
    page.keyboard.type("the gate")
    expect(missed).to_contain_text("Another narrative is here")
    at(output, 1, 144)
    page.keyboard.type(" at night")
    page.evaluate("""() => {
        const press = (one, key) => one.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        press(document.getElementById("review-note"), "Enter");
        press(document.getElementById("review-text"), "n"); }""")  # faster than anybody reads
    at(output, 2, 144)
    expect(missed).to_contain_text("was not taken")
    expect(note).to_have_value("")
    expect(output.locator(".review-last")).to_contain_text("You said yes")
    expect(output.locator(".exphub-review[aria-busy]")).to_have_count(0)
    with Hub.open(folder / "own.db") as hub:
        said = labels.decisions(hub, 1, "Ann")
        first = queues.queue(hub, "partner", coder="Ann").entries[0].narrative_id
    assert {one: (word.word, word.note) for one, word in said.items()} == {first: ("yes", "the gate at night")}


def test_blind_shows_the_text_alone_until_one_has_decided_and_two_coders_do_not_meet(opened, browser):
    folder, *_ = browser
    notebook = opened(
        "%exphub review partner --coder Ann --blind",
        "%exphub review partner --coder Ben --blind",
        "from exphub_magics.reviewing.agreements import agreement\nfrom exphub_magics import Hub\n"
        "with Hub.open() as hub: print(agreement(hub, 'sample')[['first', 'second', 'n']].to_string(index=False))",
    )
    ann, ben = notebook.run(1), notebook.run(2)
    for output, key in ((ann, "y"), (ben, "n"), (ann, "n"), (ben, "n")):
        begin(output)
        panel = output.locator(".exphub-review")
        expect(panel).to_contain_text("is shown here once you have decided")
        assert output.locator("mark").count() == 0
        assert not any(word in panel.inner_text().lower() for word in ("manual", "confidence", "false positive"))
        press(notebook, output, key)
        expect(output.locator(".review-last")).to_contain_text("manual")
        press(notebook, output, "k")
        expect(output.get_by_role("heading", name="model")).to_be_visible()
        press(notebook, output, "j")
        expect(output.get_by_role("heading", name="model")).to_have_count(0)
    assert (words(folder, "Ann"), words(folder, "Ben")) == (["yes", "no"], ["no", "no"])
    expect(notebook.run(3)).to_contain_text("Ann    Ben  2")


def test_a_restarted_kernel_is_said_and_the_cell_goes_on_where_one_was(opened, browser):
    folder, *_ = browser
    notebook = opened("%exphub review partner --coder Ann", "import time; time.sleep(5)")
    output = notebook.run(1)
    begin(output)
    press(notebook, output, "y")
    at(output, 2, 144)

    notebook.start(2)
    notebook.kernel("busy")
    begin(output)
    for key in "nyu":  # of an answer that is on its way a further key is none
        notebook.page.keyboard.press(key)
    at(output, 3, 144)  # once the cell has ended, or at once where the kernel answers panels beside its cells
    expect(output.locator(".exphub-line")).to_have_text("")
    assert words(folder, "Ann") == ["yes", "no"]

    notebook.restart()
    begin(output)
    notebook.page.keyboard.press("y")
    expect(output.locator(".exphub-line")).to_contain_text("then this cell again; the hub has kept everything")
    notebook.run(0)
    output = notebook.run(1)
    at(output, 3, 144)
    assert words(folder, "Ann") == ["yes", "no"]


def test_what_people_and_models_wrote_stays_text_however_long_it_is(opened):
    notebook = opened(
        "%exphub review odd --coder '<i>Ann</i>'", "%exphub review odd --db no.db", "%exphub review nobody"
    )
    output, page = notebook.run(1), notebook.page
    expect(output.locator(".review-hint").first).to_contain_text("1 narrative without an answer")  # as of a stopped run
    text = begin(output)
    seen = {}
    for number in range(3):
        at(output, number + 1, 3)
        seen[place(output).split(" · ")[0]] = text.text_content()
        press(notebook, output, "j")
    assert seen == {one: said for one, (_, said) in list(ODD.items())[:3]}
    expect(output.locator("mark")).to_have_count(0)
    press(notebook, output, "k")
    press(notebook, output, "k")
    page.keyboard.press("m")
    page.keyboard.type(browsed.HOSTILE)
    page.keyboard.press("Enter")
    press(notebook, output, "y")
    press(notebook, output, "a")
    expect(output.get_by_role("row", name="precision")).to_be_visible()
    panel = output.locator(".exphub-review")
    assert panel.locator("script, img, i, b[onclick], [onerror]").count() == 0
    assert page.evaluate("() => window.alive") is None
    assert panel.evaluate("one => one.scrollWidth <= one.clientWidth")
    expect(notebook.run(2)).to_contain_text("there is no hub at no.db")
    expect(notebook.run(3)).to_contain_text("no experiment is called 'nobody'")


def test_it_fits_and_can_be_read_in_both_themes(opened):
    notebook = opened("%exphub review partner --coder Ann --queue fp,fn,hard")
    output = notebook.run(1)
    begin(output)
    press(notebook, output, "y")
    at(output, 2, 144)
    for key in "?a":
        press(notebook, output, key)
    expect(output.get_by_role("row", name="manual and Ann")).to_be_visible()
    output.get_by_text("Everything said of this narrative").click()
    panel = output.locator(".exphub-review")
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        notebook.theme(theme)
        expect(panel).to_be_visible()
        assert panel.evaluate("one => one.scrollWidth <= one.clientWidth")
        assert panel.evaluate(lab.FAINT) == []
    for field in output.locator("button, input, select").all():
        assert field.evaluate("one => one.labels?.length || one.textContent || one.ariaLabel"), field
    names = panel.locator("[id]").evaluate_all("all => all.map(one => one.id)")
    assert len(names) == len(set(names))
