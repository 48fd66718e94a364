from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exphub_magics.answers import CUT_OFF, FORMAT_SENTENCE, SCHEMA, Answer, parse

WHOLE = '{"reasoning_steps": ["a", "b"], "rational": "He hit her.", "flag": true, "confidence": 0.9}'
OTHER = '{"reasoning_steps": [], "rational": "None is stated.", "flag": false, "confidence": 0.8}'
ANY = object()  # where the rational is not the point

OK, SALVAGED, FAILED, REFUSED = "ok", "salvaged", "failed", "refused"

# (a model's words, status, flag, rational)
AS_ASKED = [
    (WHOLE, OK, True, "He hit her."),
    (OTHER, OK, False, "None is stated."),
    (f"\n\t {WHOLE}\r\n ", OK, True, "He hit her."),
    ("\ufeff" + WHOLE, OK, True, "He hit her."),
    (json.dumps(json.loads(WHOLE), indent=2), OK, True, "He hit her."),
    ('{"flag": false, "rational": "x"}', OK, False, "x"),
    ('{"flag":true,"rational":"x"}', OK, True, "x"),
    ('{"confidence": 1, "flag": true, "rational": "x", "reasoning_steps": ["a"]}', OK, True, "x"),
    ('{"confidence": null, "flag": true, "rational": "x", "reasoning_steps": null}', OK, True, "x"),
    ('{"flag": true, "rational": ""}', OK, True, ""),
    ('{"flag": true, "rational": "x", "weapon": "firearm"}', OK, True, "x"),
    ('{"flag": true, "rational": "x", "weapon": {"kind": "firearm", "flag": false}}', OK, True, "x"),
    ('{"flag": true, "rational": "She said \\"no\\" {twice}"}', OK, True, 'She said "no" {twice}'),
    ('{"flag": true, "rational": "the tag </think> and <think>"}', OK, True, "the tag </think> and <think>"),
    ('{"flag": true, "rational": "\\"flag\\": false"}', OK, True, '"flag": false'),
    ('{"flag": true, "rational": "{\\"flag\\": false}"}', OK, True, '{"flag": false}'),
    ('{"flag": true, "rational": "two\nlines"}', OK, True, "two\nlines"),
    ('{"flag": true, "rational": "caf\\u00e9 \\ud83d\\ude00 ☃"}', OK, True, "café 😀 ☃"),
    (
        '{"flag": true, "rational": "“quoted” «words» \u2018here\u2019"}',
        OK,
        True,
        "“quoted” «words» \u2018here\u2019",
    ),
    ('{"flag": true, "rational": "a\\u0000b"}', OK, True, "a\0b"),
    ('{"flag": true, "rational": "a\0b"}', OK, True, "a\0b"),
    ('{"flag": true, "rational": "<script>alert(1)</script>"}', OK, True, "<script>alert(1)</script>"),
    ('{"flag": true, "flag": true, "rational": "x"}', OK, True, "x"),
    ('{"fl\\u0061g": true, "rational": "x"}', OK, True, "x"),
    ('{"flag": true, "rational": "x", "label": "unclear"}', OK, True, "x"),
    ('{"flag": true, "rational": "I can\'t help noticing a threat."}', OK, True, ANY),
    ('{"flag": true, "rational": "' + "x" * 1_000_000 + '"}', OK, True, "x" * 1_000_000),
    (f"<think>Hm.</think>{WHOLE}", OK, True, "He hit her."),
]
WORDS_FOR_THE_FLAG = [
    ('{"flag": "true", "rational": "x"}', SALVAGED, True, "x"),
    ('{"flag": "false", "rational": "x"}', SALVAGED, False, "x"),
    ('{"flag": "False", "rational": "x"}', SALVAGED, False, "x"),
    ('{"flag": "TRUE", "rational": "x"}', SALVAGED, True, "x"),
    ('{"flag": "yes", "rational": "x"}', SALVAGED, True, "x"),
    ('{"flag": "No.", "rational": "x"}', SALVAGED, False, "x"),
    ('{"flag": " Y ", "rational": "x"}', SALVAGED, True, "x"),
    ('{"flag": 1, "rational": "x"}', SALVAGED, True, "x"),
    ('{"flag": 0, "rational": "x"}', SALVAGED, False, "x"),
    ('{"flag": 1.0, "rational": "x"}', SALVAGED, True, "x"),
    ('{"flag": "1", "rational": "x"}', SALVAGED, True, "x"),
    ('{"flag": "0", "rational": "x"}', SALVAGED, False, "x"),
    ('{"flag": "positive", "rational": "x"}', SALVAGED, True, "x"),
    ('{"flag": "Negative", "rational": "x"}', SALVAGED, False, "x"),
    ('{"flag": "not_detected", "rational": "x"}', SALVAGED, False, "x"),
    ('{"flag": "**Yes**", "rational": "x"}', SALVAGED, True, "x"),
    ('{"flag": TRUE, "rational": "x"}', SALVAGED, True, "x"),
    ('{"flag": yes, "rational": "x"}', SALVAGED, True, "x"),
    ('{"flag": null, "rational": "x"}', FAILED, None, None),
    ('{"flag": "maybe", "rational": "x"}', FAILED, None, None),
    ('{"flag": "unclear", "rational": "x"}', FAILED, None, None),
    ('{"flag": "", "rational": "x"}', FAILED, None, None),
    ('{"flag": "None", "rational": "x"}', FAILED, None, None),
    ('{"flag": None, "rational": "x"}', FAILED, None, None),
    ('{"flag": NaN, "rational": "x"}', FAILED, None, None),
    ('{"flag": Infinity, "rational": "x"}', FAILED, None, None),
    ('{"flag": 2, "rational": "x"}', FAILED, None, None),
    ('{"flag": -1, "rational": "x"}', FAILED, None, None),
    ('{"flag": 0.7, "rational": "x"}', FAILED, None, None),
    ('{"flag": "0.7", "rational": "x"}', FAILED, None, None),
    ('{"flag": "90%", "rational": "x"}', FAILED, None, None),
    ('{"flag": "yes (probable)", "rational": "x"}', FAILED, None, None),
    ('{"flag": "true or false", "rational": "x"}', FAILED, None, None),
    ('{"flag": true/false, "rational": "x"}', FAILED, None, None),
    ('{"flag": true | false, "rational": "x"}', FAILED, None, None),
    ('{"flag": not true, "rational": "x"}', FAILED, None, None),
    ('{"flag": !true, "rational": "x"}', FAILED, None, None),
    ('{"flag": , "rational": "x"}', FAILED, None, None),
    ('{"flag": {"type": "boolean"}, "rational": {"type": "string"}}', FAILED, None, None),
    ('{"flag": [true, false], "rational": "x"}', FAILED, None, None),
    ('{"flag": "He was seen leaving the house.", "rational": "x"}', FAILED, None, None),
    ('{"rational": "x", "confidence": 0.9}', FAILED, None, None),
    ('{"flag": null, "answer": "yes", "rational": "x"}', FAILED, None, None),
]
OTHER_FIELDS = [
    ('{"flag": true}', SALVAGED, True, None),
    ('{"flag": true, "rational": null}', SALVAGED, True, None),
    ('{"flag": true, "rational": 7}', SALVAGED, True, None),
    ('{"flag": true, "rational": ["a", "b"]}', SALVAGED, True, None),
    ('{"flag": true, "rational": "x", "rational": "y"}', SALVAGED, True, None),
    ('{"flag": true, "rational": "a\\ud800b"}', SALVAGED, True, "a\ufffdb"),
    ('{"Flag": true, "Rational": "x"}', SALVAGED, True, "x"),
    ('{"ipv_detected": true, "rationale": "x"}', SALVAGED, True, "x"),
    ('{"IPVDetected": false, "Reason": "x"}', SALVAGED, False, "x"),
    ('{"ipv": "no", "explanation": "x"}', SALVAGED, False, "x"),
    ('{"is_ipv": 1, "justification": "x"}', SALVAGED, True, "x"),
    ('{"detected": true, "reasoning": "x"}', SALVAGED, True, "x"),
    ('{"label": "positive", "evidence": "x"}', SALVAGED, True, "x"),
    ('{"answer": "Yes", "reason": "x"}', SALVAGED, True, "x"),
    ('{"decision": false, "rational": "x"}', SALVAGED, False, "x"),
    ('{"prediction": 0, "rational": "x"}', SALVAGED, False, "x"),
    ('{"prediction": 0.7, "rational": "x"}', FAILED, None, None),
    (
        '{"detected": true, "conclusion": "Violence by a partner is described.", "reason": "x"}',
        SALVAGED,
        True,
        "x",
    ),
    ('{"detected": true, "verdict": "unclear", "reason": "x"}', FAILED, None, None),
    ('{"detected": true, "label": "no", "reason": "x"}', FAILED, None, None),
    ('{"flag": true, "ipv_detected": false, "rational": "x"}', FAILED, None, None),
    ('{"flag": true, "Flag": false, "rational": "x"}', FAILED, None, None),
    ('{"flag": true, "rational": "x", "flag": false}', FAILED, None, None),
    ('{"flag": true, "rational": "x", "flag": 1}', FAILED, None, None),
    ('{"flag": true, "flag": false, "rational": "x",}', FAILED, None, None),
    ('{"result": {"flag": true, "rational": "x"}}', SALVAGED, True, "x"),
    ('{"answer": {"flag": false, "rational": "x"}}', SALVAGED, False, "x"),
    ('{"ipv_assessment": {"flag": true, "rational": "x"}}', SALVAGED, True, "x"),
    ('{"name": "answer", "arguments": {"flag": true, "rational": "x"}}', SALVAGED, True, "x"),
    ('{"type": "object", "properties": {"flag": true, "rational": "x"}}', SALVAGED, True, "x"),
    ('{"results": [{"flag": true, "rational": "x"}]}', SALVAGED, True, "x"),
    ('{"cme": {"flag": true}, "le": {"flag": false}}', FAILED, None, None),
    ('{"flag": true, "rational": "x", "result": {"flag": false}}', FAILED, None, None),
    ('{"flag": true, "rational": "x", "confidence": 1.5}', SALVAGED, True, "x"),
    ('{"flag": true, "rational": "x", "confidence": -0.1}', SALVAGED, True, "x"),
    ('{"flag": true, "rational": "x", "confidence": "90%"}', SALVAGED, True, "x"),
    ('{"flag": true, "rational": "x", "confidence": "high"}', SALVAGED, True, "x"),
    ('{"flag": true, "rational": "x", "confidence": 1e400}', SALVAGED, True, "x"),
    ('{"flag": true, "rational": "x", "confidence": NaN}', SALVAGED, True, "x"),
    ('{"flag": true, "rational": "x", "confidence": ' + "9" * 5000 + "}", SALVAGED, True, "x"),
    ('{"flag": true, "rational": "x", "confidence": 0. nine}', SALVAGED, True, "x"),
    ('{"flag": true, "rational": "x", "certainty": 0.9}', SALVAGED, True, "x"),
    ('{"flag": false, "rational": "x", "probability": 0.1}', SALVAGED, False, "x"),
    ('{"flag": true, "rational": "x", "reasoning_steps": "1. a 2. b"}', SALVAGED, True, "x"),
    ('{"flag": true, "rational": "x", "reasoning_steps": [1, 2]}', SALVAGED, True, "x"),
    ('{"flag": true, "rational": "x", "steps": ["a"]}', SALVAGED, True, "x"),
]
WORDS_AROUND = [
    (f"```json\n{WHOLE}\n```", SALVAGED, True, "He hit her."),
    (f"```\n{WHOLE}\n```", SALVAGED, True, "He hit her."),
    (f"```json\n{WHOLE}", SALVAGED, True, "He hit her."),
    (f"Here is the answer:\n{WHOLE}", SALVAGED, True, "He hit her."),
    (f"{OTHER}\nI hope that helps!", SALVAGED, False, "None is stated."),
    (f"<answer>{WHOLE}</answer>", SALVAGED, True, "He hit her."),
    (f"Schema: {json.dumps(SCHEMA)}\nAnswer: {WHOLE}", SALVAGED, True, "He hit her."),
    (f"{WHOLE}\nSchema: {json.dumps(SCHEMA)}", SALVAGED, True, "He hit her."),
    (f'Form: {{"flag": true | false, "rational": text}}\n{OTHER}', SALVAGED, False, "None is stated."),
    (f'"flag" is true if a partner was violent. {OTHER}', SALVAGED, False, "None is stated."),
    (f'{{"note": "first"}} {WHOLE}', SALVAGED, True, "He hit her."),
    (f"{{a stray brace. {WHOLE}", SALVAGED, True, "He hit her."),
    (f"{WHOLE}}}", SALVAGED, True, "He hit her."),
    (f"[1] [see note] {WHOLE}", SALVAGED, True, "He hit her."),
    (json.dumps(WHOLE), SALVAGED, True, "He hit her."),
    (f"{WHOLE}\n{WHOLE}", SALVAGED, True, "He hit her."),
    (f"{WHOLE}\nOn reflection:\n{OTHER}", SALVAGED, False, "None is stated."),
    (f"{OTHER}{WHOLE}", SALVAGED, True, "He hit her."),
    (f'{WHOLE} Or rather: {{"flag": null}}', FAILED, None, None),
    (f'{{"flag": null}} At last: {WHOLE}', SALVAGED, True, "He hit her."),
    (f"{{'flag': False}} Corrected: {WHOLE}", FAILED, None, None),
    (f"{WHOLE} Corrected: {{'flag': False, 'rational': 'x'}}", FAILED, None, None),
    (f"{WHOLE} Corrected: {{'flag': 'unclear', 'rational': 'x'}}", FAILED, None, None),
    (f"{WHOLE} Again: {{'flag': True, 'rational': 'x'}}", SALVAGED, True, "He hit her."),
    (f"[{WHOLE}]", SALVAGED, True, "He hit her."),
    (f"[{WHOLE}, {WHOLE}]", SALVAGED, True, "He hit her."),
    (f"[{WHOLE}, {OTHER}]", FAILED, None, None),
    (f'[{WHOLE}, {{"flag": null}}]', FAILED, None, None),
    ("[{'flag': True, 'rational': 'x'}]", SALVAGED, True, "x"),
    ("[{'flag': True, 'rational': 'x'}, {'flag': False, 'rational': 'y'}]", FAILED, None, None),
    (f'[{WHOLE}, {{"flag": fal', FAILED, None, None),
    (f'{WHOLE}\n{{"flag": fal', FAILED, None, None),
    (f'{WHOLE} {{"rational": "x", "fl', FAILED, None, None),
    (f"{WHOLE} {{", SALVAGED, True, "He hit her."),
    (f"\nAnswer: no\n{WHOLE}", FAILED, None, None),
    (f"\nAnswer: yes\n{WHOLE}", SALVAGED, True, "He hit her."),
    (f"Conclusion: no evidence of doubt.\n{WHOLE}", SALVAGED, True, "He hit her."),
    ("[]", FAILED, None, None),
    ("{}", FAILED, None, None),
    ("[true]", FAILED, None, None),
]
THINKING = [
    (f"<think>\n{OTHER}\n</think>\n{WHOLE}", OK, True, "He hit her."),
    (f"<thinking>{OTHER}</thinking>{WHOLE}", OK, True, "He hit her."),
    (f"<reasoning>{OTHER}</reasoning>{WHOLE}", OK, True, "He hit her."),
    (f"<THINK>{OTHER}</THINK>{WHOLE}", OK, True, "He hit her."),
    (f'<think depth="2">{OTHER}</think>{WHOLE}', OK, True, "He hit her."),
    (f"[THINK]{OTHER}[/THINK]{WHOLE}", OK, True, "He hit her."),
    (f"◁think▷{OTHER}◁/think▷{WHOLE}", OK, True, "He hit her."),
    (
        f"<|channel|>analysis<|message|>{OTHER}<|end|><|channel|>final<|message|>{WHOLE}",
        OK,
        True,
        "He hit her.",
    ),
    (f"{OTHER}</think>{WHOLE}", OK, True, "He hit her."),
    (f"<think><think>{OTHER}</think>{WHOLE}", OK, True, "He hit her."),
    (f"<think>The tag </think> ends it. {OTHER}</think>{WHOLE}", OK, True, "He hit her."),
    (f"<think>a</think><think>{OTHER}</think>{WHOLE}", OK, True, "He hit her."),
    (f"<think>{{'flag': False</think>```json\n{WHOLE}\n```", SALVAGED, True, "He hit her."),
    ('<think>a</think>{"flag": true, "rational": "a </think> {}"}', OK, True, "a </think> {}"),
    (f"<think>{WHOLE}</think>", FAILED, None, None),
    (f"<think>{WHOLE}", FAILED, None, None),
    (f"<think>{WHOLE}</thin", FAILED, None, None),
    (f"{WHOLE}<think>or else", FAILED, None, None),
    (f"<think>a</think>{WHOLE}<think>{OTHER}", FAILED, None, None),
    ("<think>He hit her.</think>yes", SALVAGED, True, None),
    ("<think>a</think>", FAILED, None, None),
]
BROKEN = [
    ("{'flag': True, 'rational': 'x'}", SALVAGED, True, "x"),
    ("{'flag': False, 'rational': 'It\\'s not stated'}", SALVAGED, False, "It's not stated"),
    ("{'flag': False, 'rational': 'It's not stated'}", SALVAGED, False, "It's not stated"),
    ('{"flag": true, "rational": "She said "no" twice"}', SALVAGED, True, 'She said "no" twice'),
    ('{"rational": "She said "stop", and left", "flag": true}', SALVAGED, True, 'She said "stop", and left'),
    ('{"rational": "tab\\t and "bare" \\u00e9", "flag": true}', SALVAGED, True, 'tab\t and "bare" é'),
    ('{"flag": true, "rational": "x",}', SALVAGED, True, "x"),
    ('{"flag": true,, "rational": "x"}', SALVAGED, True, "x"),
    ('{"flag": true "rational": "x"}', SALVAGED, True, "x"),
    ('{"rational": "x" "flag": true}', SALVAGED, True, "x"),
    ('{"flag": true, // it is stated\n "rational": "x"}', SALVAGED, True, "x"),
    ('{"flag": true /* stated */, "rational": "x"}', SALVAGED, True, "x"),
    ('{"flag": true # stated\n, "rational": "x"}', SALVAGED, True, "x"),
    ('{flag: true, rational: "x"}', SALVAGED, True, "x"),
    ("{flag: no, rational: none is stated}", SALVAGED, False, None),
    ("{“flag”: true, “rational”: “x”}", SALVAGED, True, "x"),
    ("{„flag“: true, „rational“: „x“}", SALVAGED, True, "x"),
    ("{«flag»: false, «rational»: «x»}", SALVAGED, False, "x"),
    ("{“flag”: “yes”, “rational”: “He said “no” to her”}", SALVAGED, True, "He said “no” to her"),
    ('{"flag"\uff1atrue\uff0c"rational"\uff1a"x"}', SALVAGED, True, "x"),
    ('{"flag": true, "rational": "x"', SALVAGED, True, "x"),
    ('{"rational": "x", "flag": true', SALVAGED, True, "x"),
    ('{"rational": "x", "flag": "no', FAILED, None, None),
    ('{"rational": "x", "flag": no', FAILED, None, None),
    ('{"rational": "x", "flag": 0', FAILED, None, None),
    ('{"rational": "x", "flag": fal', FAILED, None, None),
    ('{"rational": "x", "flag":', FAILED, None, None),
    ('{"rational": "x", "fl', FAILED, None, None),
    ('{"flag": true, "rational": "not whol', SALVAGED, True, None),
    ('"flag": true, "rational": "x"}', SALVAGED, True, "x"),
    ('"flag": true, "rational": "x"', FAILED, None, None),
    ('{"reasoning_steps": ["a"], {"rational": "x", "flag": true}', FAILED, None, None),
    (f"{{{WHOLE}}}", SALVAGED, True, "He hit her."),
    (f"{{'result': {WHOLE},}}", SALVAGED, True, "He hit her."),
    ("{'rational': 'see {\"flag\": false}', 'flg': True}", FAILED, None, None),
    ("{'rational': 'see {\"flag\": false}', flag': True}", FAILED, None, None),
    ('{"rational": "see {\\"flag\\": false}", "flg": True}', FAILED, None, None),
    ('{\'flag\': True, \'seen\': {"flag": false, "rational": "y"}}', FAILED, None, None),
    ('{"rational": "see {\\"flag\\": false} there", "flag": true,}', FAILED, None, None),
    ('"rational": "see {\\"flag\\": false} there", "flag": true}', FAILED, None, None),
    ("{'rational': 'a } brace', 'flag': True}", SALVAGED, True, "a } brace"),
    ("{'flag': True, 'rational': 'x', 'confidence': 0.9}", SALVAGED, True, "x"),
    ("{'flag': True, 'rational': 'a } brace'}", SALVAGED, True, "a } brace"),
    ("{'flag': True, 'rational': 'an 'a' } brace'}", SALVAGED, True, None),
    ("{'flag': True, 'rational': 'x'} {'flag': True, 'rational': 'y'}", SALVAGED, True, "y"),
    ("```python\n{'flag': True, 'rational': 'x'}\n```\nThat is all.", SALVAGED, True, "x"),
    ('{"rational": "C:\\\\", "flag": "yes",}', SALVAGED, True, ANY),
    ("flag: true\nrational: x", FAILED, None, None),
]
NO_OBJECT = [
    ("yes", SALVAGED, True, None),
    ("No.", SALVAGED, False, None),
    ("TRUE", SALVAGED, True, None),
    ('"false"', SALVAGED, False, None),
    ("**Yes**", SALVAGED, True, None),
    ("```\nno\n```", SALVAGED, False, None),
    ("1", FAILED, None, None),
    ("0", FAILED, None, None),
    ("0.7", FAILED, None, None),
    ("positive", FAILED, None, None),
    ("maybe", FAILED, None, None),
    ("null", FAILED, None, None),
    (None, FAILED, None, None),
    ("", FAILED, None, None),
    (" \n", FAILED, None, None),
    ("\0", FAILED, None, None),
    ("\ud800", FAILED, None, None),
    ("Yes, this narrative indicates violence by a partner.", FAILED, None, None),
    ("yes and no", FAILED, None, None),
    ("The victim was unable to provide a statement.", FAILED, None, None),
    ("It cannot be decided whether she was hurt by him.", FAILED, None, None),
    ("I'm sorry, but I can't help with that.", REFUSED, None, None),
    ("I\u2019m sorry, but I can\u2019t assist with that request.", REFUSED, None, None),
    ("I cannot provide an analysis of this text.", REFUSED, None, None),
    ("As a language model, I am unable to discuss violence.", REFUSED, None, None),
    ("Sorry, can't do that.", REFUSED, None, None),
    ("I must decline.", REFUSED, None, None),
    ("I won't engage with this.", REFUSED, None, None),
    ("<think>Hm.</think>I'm sorry, I can't help with this.", REFUSED, None, None),
]
HOSTILE = [
    ("[" * 100_000, FAILED, None, None),
    ("{" * 100_000, FAILED, None, None),
    ('"' * 1_000_000, FAILED, None, None),
    ("<think>" * 100_000, FAILED, None, None),
    ("<think></think>" * 50_000, FAILED, None, None),
    ('{"a":' * 100_000, FAILED, None, None),
    ('[{"a":' * 100_000, FAILED, None, None),
    ("[" + "{}," * 300_000 + "{}]", FAILED, None, None),
    ('{"flag": true, "x": [' + "1," * 500_000, FAILED, None, None),
    ("{'" * 1_000, FAILED, None, None),
    ("{'flag': True, " + "{1" * 900, FAILED, None, None),
    ('{"flag": true, "x": ' + "[" * 100_000 + "]" * 100_000 + "}", FAILED, None, None),
    ("word " * 200_000, FAILED, None, None),
    ("{" + "," * 1_000_000, FAILED, None, None),
    ("</think>" * 100_000 + WHOLE, FAILED, None, None),
]
CORPUS = [
    *AS_ASKED,
    *WORDS_FOR_THE_FLAG,
    *OTHER_FIELDS,
    *WORDS_AROUND,
    *THINKING,
    *BROKEN,
    *NO_OBJECT,
    *HOSTILE,
]


@pytest.mark.parametrize(("words", "status", "flag", "rational"), CORPUS, ids=range(len(CORPUS)))
def test_a_models_words_are_read_as_the_table_says(words, status, flag, rational):
    answer = parse(words)
    assert (answer.status, answer.flag) == (status, flag), answer.error
    assert rational is ANY or answer.rational == rational
    assert (answer.error is None) == (status == OK)


def test_the_table_is_large_enough_to_mean_something():
    assert len(CORPUS) >= 150


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (f"```json\n{WHOLE}\n```", "code fence"),
        ('{"ipv_detected": true, "rational": "x"}', "key 'ipv_detected' read as flag"),
        ('{"flag": "yes", "rational": "x"}', "'yes' read as true"),
        ('{"flag": 1, "rational": "x"}', "1 read as true"),
        ('{"flag": true, "reason": "x"}', "key 'reason' read as rational"),
        ('{"flag": true}', "no rational"),
        ("{'flag': True, 'rational': 'x'}", "repaired JSON"),
        ('{"flag": true, "rational": "not whol', "repaired JSON; the rational is not whole: dropped"),
        (f"Answer: {WHOLE}", "text around the object"),
        (f"{WHOLE}{WHOLE}", "several answers"),
        (f"{OTHER}{WHOLE}", "several answers that differ: the last one read"),
        (f"[{WHOLE}]", "object in a list"),
        ('{"result": {"flag": true, "rational": "x"}}', "wrapped object"),
        ('{"flag": true, "rational": "x", "probability": 1}', "'probability' not read: it may be the chance"),
        ('{"flag": "maybe"}', "no decision: 'maybe'"),
        ('{"flag": null}', "no decision: null"),
        ("{'flag': None}", "no decision: null"),
        ('{"flag": true, "flag": false}', "contradictory"),
        (f"[{WHOLE},{OTHER}]", "contradictory"),
        ("<think>Hm.", "thinking never ended"),
        ("It may be so.", "no answer object"),
        ("", "an empty reply"),
        ("[" * 500_000, "too long or too tangled to read"),
    ],
)
def test_the_error_says_what_had_to_be_read_around_or_why_there_is_no_answer(words, error):
    assert error in parse(words).error


def test_an_error_repeats_no_words_that_may_be_a_narratives():
    words = '{"flag": "Jane was found at home by her neighbour.", "rational": "x"}'
    assert parse(words).error == "no decision: the flag is a text of 40 characters"


def test_every_field_of_an_answer_is_read():
    assert parse(WHOLE) == Answer("ok", True, "He hit her.", ("a", "b"), 0.9, None)


def test_what_is_whole_in_a_broken_object_is_kept_and_what_is_not_is_dropped():
    broken = "{'reasoning_steps': ['a', 'b'], 'rational': 'x', 'flag': True, 'confidence': %s}"
    assert parse(broken % "0.9") == Answer("salvaged", True, "x", ("a", "b"), 0.9, "repaired JSON")
    assert parse(broken % "0. nine").confidence is None
    assert parse(broken % "0. nine").flag is True


@pytest.mark.parametrize(
    ("said", "number"),
    [("0.9", 0.9), ("1", 1.0), ("0", 0.0), ('"0.25"', 0.25), ('"90%"', 0.9), ("1.01", None), ("true", None)],
)
def test_a_confidence_is_a_number_from_0_to_1_or_none(said, number):
    assert parse(f'{{"flag": true, "rational": "x", "confidence": {said}}}').confidence == number


def test_the_chance_of_a_yes_is_not_taken_for_the_certainty_of_a_no():
    assert parse('{"flag": false, "rational": "x", "probability": 0.02}').confidence is None


@pytest.mark.parametrize("refusal", ["I can't help with that.", "no"])
def test_a_refusal_beside_the_reply_is_refused_whatever_the_reply_says(refusal):
    assert parse(None, refusal=refusal) == Answer("refused", error="refused by the model")
    assert parse(WHOLE, refusal=refusal).flag is None


def test_a_content_filter_is_a_refusal_and_its_remains_are_no_answer():
    assert parse(WHOLE, finish_reason="content_filter").status == "refused"
    assert parse(WHOLE, refusal="", finish_reason="stop").status == "ok"


@pytest.mark.parametrize("reason", ["length", "max_tokens"])
@pytest.mark.parametrize(
    "words",
    [
        None,
        "",
        "yes",
        "<think>Hm.",
        WHOLE[:-1],
        '{"flag": true, "rational": "x", "conf',
        '{"flag": true',
        f'{WHOLE}\n{{"flag": fal',
        "{'flag': True, 'rational': 'x'}",
        "[" * 500_000,
    ],
)
def test_a_reply_that_was_cut_off_in_its_answer_is_none(words, reason):
    assert parse(words, finish_reason=reason) == Answer("failed", error=CUT_OFF)


def test_a_whole_answer_before_the_cut_is_salvaged_and_never_plainly_ok():
    answer = parse(f"{WHOLE} And so", finish_reason="length")
    assert (answer.status, answer.flag) == ("salvaged", True)
    assert parse(WHOLE, finish_reason="length").error == "cut off at max_tokens after the answer"


def test_the_sentence_and_the_schema_ask_for_the_same_keys_in_the_same_order():
    keys = list(SCHEMA["properties"])
    assert keys == SCHEMA["required"] == ["reasoning_steps", "rational", "flag", "confidence"]
    assert sorted(keys, key=lambda key: FORMAT_SENTENCE.index(f'"{key}"')) == keys


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
objects = st.fixed_dictionaries(
    {
        "reasoning_steps": st.lists(texts, max_size=3),
        "rational": texts,
        "flag": st.booleans(),
        "confidence": st.floats(0, 1),
    }
)
prose = st.text(st.characters(exclude_characters="{}<[◁"))
tokens = st.sampled_from(
    [
        *(
            "{",
            "}",
            "[",
            "]",
            '"',
            "'",
            ":",
            ",",
            "\\",
            "\n",
            " ",
            "//",
            "/*",
            "#",
            "```",
            "“",
            "”",
            "<think>",
        ),
        *(
            "</think>",
            '"flag"',
            "flag",
            '"rational"',
            "true",
            "false",
            "True",
            "None",
            "null",
            "maybe",
            "1",
            "0.7",
        ),
        *("NaN", "\0", "\ud800", "\ufeff", "x", "yes", "no", '"answer"', "result", "I can't help", "1e400"),
    ]
)


@settings(max_examples=250, deadline=None)
@given(st.text() | st.lists(tokens, max_size=40).map("".join), st.sampled_from([None, "stop", "length"]))
def test_no_text_makes_parse_raise_and_a_flag_never_stands_without_a_readable_answer(words, reason):
    answer = parse(words, finish_reason=reason)
    assert (answer.flag is not None) == (answer.status in {"ok", "salvaged"})
    assert (answer.error is None) == (answer.status == "ok")
    json.dumps([answer.rational, answer.error, answer.reasoning_steps], ensure_ascii=False).encode()


@settings(deadline=None)
@given(objects, st.booleans(), st.sampled_from([None, 2]))
def test_an_answer_as_asked_for_is_ok_and_keeps_its_bytes(asked, ensure_ascii, indent):
    jsonschema.validate(asked, SCHEMA)
    answer = parse(json.dumps(asked, ensure_ascii=ensure_ascii, indent=indent))
    steps = tuple(asked["reasoning_steps"])
    assert answer == Answer("ok", asked["flag"], asked["rational"], steps, asked["confidence"])


MARKS = "{}<[◁:\"'“”„«»‘’‚"  # what may open or break an answer of its own


@settings(deadline=None)
@given(
    objects,
    st.text(st.characters(exclude_characters=MARKS)),
    st.text(st.characters(exclude_characters=MARKS)),
)
def test_an_answer_in_any_prose_without_braces_and_quotes_is_read_as_it_stands(asked, before, after):
    answer = parse(before + json.dumps(asked) + after)
    assert (answer.flag, answer.rational) == (asked["flag"], asked["rational"])


@settings(deadline=None)
@given(objects, texts)
def test_a_python_literal_gives_the_same_flag_and_an_unchanged_rational_or_none(asked, rational):
    words = repr({**asked, "rational": rational})
    answer = parse(words)
    assert answer.flag in {asked["flag"], None}
    assert answer.rational is None or answer.rational == rational or answer.rational in words


def mutations(words: str, spared: range) -> st.SearchStrategy[str]:
    """One character inserted, deleted, replaced or swapped with the next, outside what is spared."""
    places = st.integers(0, len(words) - 2).filter(lambda place: place not in spared and place + 1 not in spared)
    pieces = st.sampled_from("{}[]\"':,\\\n #/`“x1") | st.characters()
    return st.one_of(
        st.builds(lambda place, new: words[:place] + new + words[place:], places, pieces),
        st.builds(lambda place, new: words[:place] + new + words[place + 1 :], places, pieces),
        st.builds(lambda place: words[:place] + words[place + 1 :], places),
        st.builds(lambda p: words[:p] + words[p + 1] + words[p] + words[p + 2 :], places),
    )


SLIPPED = [  # a valid answer, its flag, and the last words before the flag's value
    (WHOLE, True, '"flag": '),
    (OTHER, False, '"flag": '),
    ('{"rational": "they wrote {\\"flag\\": false} there", "flag": true, "confidence": 1}', True, '"flag": '),
    ('{"flag": true, "rational": "no, \\"flag\\": \\"false\\", he said"}', True, '{"flag": '),
    ("{'rational': 'see {\"flag\": false}', 'flag': True}", True, "'flag': "),
    ("{'flag': True, 'rational': 'see {\"flag\": false}'}", True, "'flag': "),
    (f"<think>{OTHER}</think>{WHOLE}", True, '"flag": '),
    (f"```json\n{WHOLE}\n```\nNo more.", True, '"flag": '),
]


@pytest.mark.parametrize(("words", "flag", "key"), SLIPPED)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_slip_outside_the_flags_value_never_turns_the_flag(words, flag, key, data):
    assert parse(words).flag in {flag, None}
    start = words.rindex(key) + len(key)
    slipped = data.draw(mutations(words, range(start - 1, start + len(str(flag)) + 1)))
    assert parse(slipped).flag in {flag, None}


@pytest.mark.parametrize("words", [7, True, b"yes", [WHOLE], {"flag": True}])
def test_what_is_no_text_is_no_answer(words):
    assert parse(words) == Answer("failed", error="the reply is no text")


@pytest.mark.parametrize("reason", [["length"], {"length": 1}, 7])
def test_an_odd_reason_to_finish_is_no_reason(reason):
    assert parse(WHOLE, finish_reason=reason) == parse(WHOLE)
