import csv
import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics import builtin, prompts

ROOT = Path(__file__).parent.parent

BASE = """Decide whether the narrative shows that the decedent was a victim of intimate partner violence.

These count:
- physical violence, or threats, by a current or former partner

These do not count:
- arguments

Consider the whole narrative."""

# One slice a kind of story: each text is about one thing only, so that one criterion decides it.
SLICES = {
    "physical": (
        "V, a 30-year-old woman, was found at home. Her sister said that her husband punched her in March.",
        "The decedent, a 44-year-old man, was found in bed. His brother said his girlfriend had choked him.",
        "V was a 51-year-old woman. She had been kicked by her boyfriend, a neighbor reported.",
    ),
    "threat": (
        "V, a 30-year-old woman, was found at home. Her husband had threatened her the week before.",
        "The decedent was a 44-year-old man. His ex-wife threatened him, per his brother.",
        "V was a 51-year-old woman. According to a friend, her boyfriend pointed a gun at her in May.",
    ),
    "control": (
        "V, a 30-year-old woman, was found at home. Her husband would not let her see her sister.",
        "The decedent was a 44-year-old man. His wife monitored him and his girlfriend before her did too.",
        "V was a 51-year-old woman. According to a friend, her boyfriend isolated her.",
    ),
    "economic": (
        "V, a 30-year-old woman, was found at home. Her husband took her paycheck every week.",
        "The decedent was a 44-year-old man. His ex-wife had emptied his account.",
        "V was a 51-year-old woman. According to a friend, her boyfriend withheld money from her.",
    ),
    "stalking": (
        "V, a 30-year-old woman, was found at home. Her ex-husband stalked her all spring.",
        "The decedent was a 44-year-old man. His ex-girlfriend followed him home from work.",
        "V was a 51-year-old woman. According to a friend, her former boyfriend harassed her.",
    ),
    "order": (
        "V, a 30-year-old woman, was found at home. She had a restraining order against her husband.",
        "The decedent was a 44-year-old man. He had filed for a protective order against his ex-wife.",
        "V was a 51-year-old woman. She had obtained an order of protection against her boyfriend.",
    ),
    "shelter": (
        "V, a 30-year-old woman, was found at home. She had stayed at a shelter because of her husband.",
        "The decedent was a 44-year-old man. He called a hotline about his wife.",
        "V was a 51-year-old woman. She had made a safety plan because of her boyfriend.",
    ),
    "fear": (
        "V, a 30-year-old woman, was found at home. She was afraid of her husband.",
        "The decedent was a 44-year-old man. He was scared of his wife.",
        "V was a 51-year-old woman. She lived in fear of her boyfriend.",
    ),
    "emotional": (
        "V, a 30-year-old woman, was found at home. Her husband humiliated her.",
        "The decedent was a 44-year-old man. His wife belittled him.",
        "V was a 51-year-old woman. Her boyfriend insulted her.",
    ),
    "sexual": (
        "V, a 30-year-old woman, was found at home. Her husband raped her, according to her sister.",
        "V was a 51-year-old woman. She told a nurse that she had been sexually abused by her boyfriend.",
    ),
    "argument": (
        "V, a 30-year-old woman, was found at home. She and her husband argued.",
        "The decedent was a 44-year-old man. There was an argument between him and his wife.",
        "V was a 51-year-old woman. She and her boyfriend quarreled about the car.",
    ),
    "separation": (
        "V, a 30-year-old woman, was found at home. She and her husband had separated.",
        "The decedent was a 44-year-old man. He and his wife were getting a divorce.",
        "V was a 51-year-old woman. There had been a breakup with her boyfriend.",
    ),
    "perpetrator": (
        "V, a 44-year-old man, was found at home. He had punched his wife.",
        "The decedent was a 30-year-old man. He choked his girlfriend in March, per her sister.",
        "V was a 51-year-old woman. She had threatened her husband.",
    ),
    "family": (
        "V, a 30-year-old woman, was found at home. Her father had punched her.",
        "The decedent was a 44-year-old man. His brother choked him in March.",
        "V was a 51-year-old woman. She had been kicked by her adult son.",
    ),
    "third_party": (
        "V, a 30-year-old woman, was found at home. Her sister's boyfriend had punched her sister.",
        "The decedent was a 44-year-old man. His daughter's husband had choked the daughter.",
    ),
    "past": (
        "V, a 50-year-old woman, was found at home. Her first husband punched her years ago.",
        "The decedent was a 54-year-old man. A long time ago his ex-wife had choked him.",
    ),
    "withdrawn": (
        "V, a 30-year-old woman, was found at home. She withdrew a report that her husband punched her.",
        "The decedent was a 44-year-old man. A report that his wife had choked him was unfounded.",
    ),
    "rumored": (
        "V, a 30-year-old woman, was found at home. It was rumored that her husband punched her.",
        "The decedent was a 44-year-old man. He allegedly had been choked by his wife.",
    ),
    "denied": (
        "V, a 30-year-old woman, was found at home. She denied that her husband punched her.",
        "The decedent was a 44-year-old man. He denied having been choked by his wife.",
    ),
    "mutual": ("V was a 30-year-old woman. There was violence between her and her husband.",),
    "unsaid": (
        "V, a 30-year-old woman, was found at home. She had been punched in March.",
        "The decedent was a 44-year-old man. He had been choked in March.",
    ),
    "eviction": (
        "V, a 30-year-old woman, was found at home. An eviction was under way.",
        "The decedent was a 44-year-old man. He was to be evicted; the eviction notice was on the table.",
    ),
    "none": (
        "V, a 30-year-old woman, was found at home. She worked as a roofer and had a dog.",
        "The decedent was a 44-year-old man. His wife found him. Toxicology is pending.",
    ),
}


def ask(prompt, narrative):
    messages = [{"role": "system", "content": prompt}, {"role": "user", "content": narrative}]
    return json.loads(builtin.answer(messages))


def rates(prompt):
    return {name: sum(ask(prompt, text)["flag"] for text in texts) / len(texts) for name, texts in SLICES.items()}


def counted(line):
    return BASE.replace("\n\nThese do not", f"\n- {line}\n\nThese do not")


def left_out(line):
    return BASE.replace("- arguments", f"- arguments\n- {line}")


def closing(line):
    return f"{BASE} {line}"


# rung: the prompt before, the prompt after one change, the slice meant, the direction, what else may move with it
LADDER = {
    "control counts": (BASE, counted("controlling behavior"), "control", 1, set()),
    "economic abuse counts": (BASE, counted("taking the decedent's money"), "economic", 1, set()),
    "stalking counts": (BASE, counted("stalking"), "stalking", 1, set()),
    "protective orders count": (BASE, counted("a protective order against the partner"), "order", 1, set()),
    "shelter stays count": (BASE, counted("a stay at a shelter"), "shelter", 1, set()),
    "fear counts": (BASE, counted("fear of the partner"), "fear", 1, set()),
    "insults count": (BASE, counted("insults and humiliation"), "emotional", 1, set()),
    "separation counts": (BASE, counted("a separation or divorce"), "separation", 1, set()),
    "arguments no longer excluded": (
        BASE,
        counted("arguments").replace("- arguments\n\nC", "\nC"),
        "argument",
        1,
        set(),
    ),
    "a word of one's own counts": (BASE, counted("eviction"), "eviction", 1, set()),
    "a quoted word counts": (BASE, closing('Flag the word "eviction" as well.'), "eviction", 1, set()),
    "indirect evidence counts": (
        BASE,
        closing("Indirect evidence counts."),
        "shelter",
        1,
        {"order", "fear", "control", "economic", "stalking", "emotional"},
    ),
    "threats left out": (BASE, left_out("threats"), "threat", -1, set()),
    "sexual violence left out": (BASE, left_out("sexual violence"), "sexual", -1, set()),
    "only physical violence": (BASE, closing("Count only physical violence."), "sexual", -1, {"threat", "stalking"}),
    "decedent as perpetrator left out": (
        BASE.replace("the decedent was a victim of", "there was"),
        left_out("acts of which the decedent was the perpetrator").replace("the decedent was a victim of", "there was"),
        "perpetrator",
        -1,
        set(),
    ),
    "decedent as perpetrator counts": (
        BASE,
        counted("violence by the decedent as the perpetrator"),
        "perpetrator",
        1,
        set(),
    ),
    "family counts": (BASE, counted("violence by family members"), "family", 1, set()),
    "other people's relationships count": (
        BASE,
        counted("violence in other people's relationships"),
        "third_party",
        1,
        set(),
    ),
    "past violence left out": (BASE, left_out("violence in the distant past"), "past", -1, set()),
    "withdrawn reports left out": (BASE, left_out("reports that were withdrawn or unfounded"), "withdrawn", -1, set()),
    "rumors left out": (BASE, left_out("rumors and speculation"), "rumored", -1, set()),
    "denied violence counts": (
        BASE,
        counted("violence that the decedent denied").replace("Consider", "Be generous. Consider"),
        "denied",
        1,
        set(),
    ),
    "mutual fights left out": (BASE, left_out("mutual violence"), "mutual", -1, set()),
    "unnamed perpetrators count": (BASE, counted("violence by an unidentified person"), "unsaid", 1, set()),
    "weaker evidence in doubt": (
        counted("a possible sign, such as a breakup or separation"),
        counted("a possible sign, such as a breakup or separation") + " Be strict. In doubt answer no.",
        "separation",
        -1,
        {"withdrawn", "rumored"},
    ),
}


@pytest.mark.parametrize("rung", LADDER)
def test_one_criterion_more_moves_what_it_means_and_little_else(rung):
    before, after, meant, direction, along = LADDER[rung]
    assert before != after
    was, now = rates(before), rates(after)
    assert (now[meant] - was[meant]) * direction >= 0.5
    assert {name for name in SLICES if now[name] != was[name]} - {meant} - along == set()


def test_the_ladder_is_long_enough_to_mean_something():
    assert len(LADDER) >= 24


@pytest.fixture(scope="module")
def rows():
    with (files("exphub_magics.sample") / "sample.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def scored(text, rows):
    prompt = prompts.parse(text)
    flags = [json.loads(builtin.answer(prompts.render(prompt, row["narrative"])))["flag"] for row in rows]
    pairs = list(zip(flags, (row["manual_flag_ind"] == "1" for row in rows), strict=True))
    tp = pairs.count((True, True))
    return tp / flags.count(True), tp / (tp + pairs.count((False, True)))


def f1(precision, recall):
    return 2 * precision * recall / (precision + recall)


def shipped(name):
    return (ROOT / "prompts" / f"{name}.txt").read_text(encoding="utf-8")


def test_the_shipped_prompts_rank_as_they_are_meant_to(rows):
    scores = {name: scored(shipped(name), rows) for name in ("baseline", "indicators", "strict", "context", "improved")}
    precision = {name: score[0] for name, score in scores.items()}
    recall = {name: score[1] for name, score in scores.items()}
    overall = {name: f1(*score) for name, score in scores.items()}
    assert recall["strict"] < recall["baseline"] < recall["indicators"] - 0.05
    assert max(precision, key=precision.get) == "strict"
    assert min(recall, key=recall.get) == "strict"
    assert overall["context"] >= max(overall.values()) - 0.02
    assert all(0.55 <= value <= 0.88 for value in overall.values())


def test_a_paraphrase_of_a_shipped_prompt_hardly_moves_its_f1(rows):
    text = shipped("baseline")
    reworded = (
        text.replace("is silent about it", "says nothing of it")
        .replace("The decedent must be the victim", "The deceased must be the victim")
        .replace(
            "Violence by family members, friends or strangers does not count",
            "Exclude violence by kin, friends or strangers",
        )
        .replace("\n- ", "\n\n  *   ")
    )
    assert reworded != text
    assert abs(f1(*scored(reworded, rows)) - f1(*scored(text, rows))) <= 0.01


@pytest.mark.parametrize("path", sorted((ROOT / "prompts").glob("*.txt")), ids=lambda path: path.stem)
def test_a_shipped_prompt_is_sound(path):
    text = path.read_text(encoding="utf-8")
    assert prompts.parse(text).warnings == ()
    assert 100 <= len(re.findall(r"\w+", text)) <= 300


def test_layout_of_a_prompt_is_no_criterion():
    wrapped = (
        BASE.replace("shows that the decedent", "shows\nthat the decedent")
        .replace("- ", "  *  ")
        .replace("\n\n", "\n\n\n")
    )
    assert rates(wrapped) == rates(BASE)


def test_other_words_for_the_same_criteria_change_nothing():
    other = """Does this narrative indicate that the deceased was a victim of IPV?

Indicators:
* threats, or physical abuse, by a current or former partner

Do not count:
* quarrels

Read everything."""
    assert rates(other) == rates(BASE)


@pytest.mark.parametrize(
    ("done_to", "done_by"),
    [
        ("V was a 30-year-old woman. Her husband punched her.", "V was a 30-year-old woman. She punched her husband."),
        ("V, a 40-year-old man, was hit by his wife.", "His wife was hit by V, a 40-year-old man."),
        ("V had a protective order against his wife.", "His wife had a protective order against V."),
        (
            "V was afraid of her boyfriend and his threats against her.",
            "The boyfriend was afraid of V and her threats against him.",
        ),
    ],
)
def test_who_did_it_decides(done_to, done_by):
    prompt = counted("fear of the partner, or a protective order") + " The decedent must be the victim."
    assert ask(prompt, done_to)["flag"]
    assert not ask(prompt, done_by)["flag"]


@pytest.mark.parametrize(
    "shorthand", ["V (30 yo F) was choked by her BF.", "V: DV VICTIM, H PUNCHED HER.", "V's GF hit V."]
)
def test_shorthand_and_capitals_are_read(shorthand):
    assert ask(BASE, shorthand)["flag"]


@pytest.mark.parametrize(
    "bait",
    ["His business partner hit the roof.", "She adopted a dog at an animal shelter.", "The car battery was dead."],
)
def test_lookalikes_are_no_evidence(bait):
    assert not ask(counted("a stay at a shelter"), bait)["flag"]


def test_a_denial_of_the_evidence_never_raises_the_score():
    for texts in SLICES.values():
        for text in texts:
            opening, _, evidence = text.partition(". ")
            denied = f"{opening}. There is no evidence that {evidence[:1].lower()}{evidence[1:]}"
            assert certainty(denied) <= certainty(text)


def certainty(narrative):
    reply = ask(BASE, narrative)
    return reply["confidence"] if reply["flag"] else -reply["confidence"]


@given(st.sampled_from([text for texts in SLICES.values() for text in texts]))
def test_a_neutral_sentence_changes_nothing(text):
    assert ask(BASE, f"{text} Toxicology is pending. The kitchen clock had stopped.") == ask(BASE, text)


@given(st.text(), st.text())
def test_any_prompt_and_any_narrative_get_a_well_formed_answer(prompt, narrative):
    first = builtin.answer([{"role": "system", "content": prompt}, {"role": "user", "content": narrative}])
    reply = json.loads(first)
    assert list(reply) == ["reasoning_steps", "rational", "flag", "confidence"]
    assert isinstance(reply["flag"], bool)
    assert 0.5 <= reply["confidence"] <= 1
    assert 2 <= len(reply["reasoning_steps"]) <= 4
    assert all(len(step) <= 300 for step in reply["reasoning_steps"])
    assert first == builtin.answer([{"role": "system", "content": prompt}, {"role": "user", "content": narrative}])


@given(
    st.lists(
        st.sampled_from(
            ["V", "her husband", "hit", "denied", "her", "that", ".", ",", "by", "was", "a", "PO", "against"]
        )
    )
)
def test_any_order_of_words_is_read(words):
    assert ask(BASE, " ".join(words))["flag"] in {True, False}


def test_a_long_text_without_any_full_stop_is_read():
    words = "her husband hit her and she was afraid of him " * 2_000
    assert ask(BASE, words)["flag"]


def test_a_broken_character_is_answered_in_text_that_can_be_stored():
    reply = ask(BASE, "Her husband punched her \ud800.")
    assert reply["flag"]
    assert reply["rational"].encode()


def test_the_same_question_is_answered_alike_in_every_process():
    messages = [{"content": shipped("indicators")}, {"content": "V was afraid, and her husband hit her."}]
    script = f"from exphub_magics import builtin; print(builtin.answer({messages!r}))"
    answers = {
        subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1


def test_no_messages_at_all_get_an_answer():
    assert json.loads(builtin.answer([]))["flag"] is False


@pytest.mark.parametrize(
    ("question", "yes", "no"),
    [
        ("Does the text mention a smoke detector?", "A smoke detector was beeping.", "A lamp was on."),
        ("Was the decedent a veteran?", "He was a veteran of the Navy.", "He worked as a cook."),
        ("Did the person lose their job?", "She had lost her job in May.", "She liked her job."),
        ("Is there evidence of alcohol abuse?", "History of alcohol abuse.", "Her husband abused her."),
    ],
)
def test_any_other_question_is_answered_by_its_own_words(question, yes, no):
    assert ask(question, yes)["flag"]
    assert not ask(question, no)["flag"]


def test_a_bare_question_about_violence_is_taken_literally():
    assert ask("Is there violence?", SLICES["family"][0])["flag"]
    assert ask("Is there violence?", SLICES["perpetrator"][0])["flag"]
    assert not ask("Is there violence?", SLICES["order"][0])["flag"]


def test_the_rationale_quotes_the_deciding_sentence_in_short():
    reply = ask(BASE, "V slept. Her husband punched her. " + "She had a dog. " * 50)
    assert '"Her husband punched her."' in reply["rational"]
    long = ask(BASE, "Her husband punched her " + "and she had a dog " * 50)["rational"]
    quote = re.search(r'"(.*)"', long).group(1)
    assert len(quote) == builtin.QUOTED


def test_what_speaks_against_the_evidence_is_said():
    reply = ask(BASE + " The decedent must be the victim.", SLICES["perpetrator"][0])
    assert any("the decedent did it" in step for step in reply["reasoning_steps"])


@pytest.mark.parametrize(
    "contents",
    [
        [BASE, "{}"],
        [BASE, "Narrative:\n{}"],
        [BASE, 'Report: """{}"""'],
        [BASE, "<narrative>\n{}\n</narrative>\n\nAnswer with a flag."],
        [f"{BASE}\n\nNarrative:\n{{}}"],
        ["Is there violence?\n\n{}"],
        ["Is there violence? {}"],
        [BASE, "Does this tell of violence?\n\nNarrative:\n{}\n\nReturn the flag."],
    ],
)
def test_the_narrative_is_told_from_the_instructions_around_it(contents):
    narrative = "V was seen at noon. Nothing else is known about the day, and the door was locked."
    messages = [{"role": "user", "content": content.replace("{}", narrative)} for content in contents]
    prompt, found = builtin.split(messages)
    assert found == narrative
    assert narrative not in prompt


def test_a_narrative_that_is_sent_twice_is_no_part_of_the_prompt():
    narrative = "V was afraid of her husband, and she had been to a shelter in the spring."
    assert builtin.split([{"content": f"Decide.\n{narrative}"}, {"content": narrative}]) == ("Decide.\n", narrative)


def test_instructions_about_the_format_are_no_criteria():
    asked = builtin.read_criteria("Is there a threat?")
    formatted = builtin.read_criteria("Is there a threat? Return only JSON with the keys flag and confidence.")
    assert (asked.weights, asked.threshold) == (formatted.weights, formatted.threshold)


def test_an_explanation_names_what_counts_and_what_does_not():
    told = builtin.explain(BASE)
    assert "physical" in told
    assert re.search(r"left out:\s+conflict", told)
    assert "<- arguments" in told
