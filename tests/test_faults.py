"""What an endpoint does wrong, through the whole stack: every narrative has a state, no answer is a wrong one.

`pytest -s tests/test_faults.py` prints what each class of faults and answers came to.
"""

import hashlib
import json
import math
import random
import time
from collections import Counter, defaultdict

import pandas as pd
import pytest

from endpoint import answer, completion
from exphub_magics import experiments, failures, prompts, providers, specs
from exphub_magics.errors import EndpointError
from exphub_magics.hub import Hub
from faults import (
    BODIES,
    CROWDED,
    ENDS,
    FAULTS,
    LATE,
    READ_ALL_THE_SAME,
    STATUSES,
    TRANSPORT,
    Plan,
    hang,
    message,
    on_the_wire,
    raw,
)
from test_answers import ANY, CORPUS, FAILED, REFUSED, WHOLE
from test_providers import in_other_forms

PROMPT = prompts.parse("Was the decedent hurt or threatened by a partner?")
CLASSES = {
    "transport": TRANSPORT,
    "statuses": STATUSES,
    "too many requests": CROWDED,
    "bodies": BODIES,
    "odd but readable": READ_ALL_THE_SAME,
}
FORMS_TO_TRY = 3  # rejections in vain, at most, that are about no form but might have been


@pytest.fixture(autouse=True)
def in_no_time(monkeypatch):
    """The pauses, the deadline and the size of a reply, each a part of what they are."""
    monkeypatch.setattr(providers, "FIRST_PAUSE_SECONDS", 0.002)
    monkeypatch.setattr(providers, "LONGEST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(providers, "DEADLINE_SECONDS", 30.0)
    monkeypatch.setattr(providers, "MOST_BYTES", 3_000_000)


@pytest.fixture(scope="module")
def table():
    """What each class came to: n, answered, failed, requests."""
    rows = defaultdict(Counter)
    yield rows
    print(f"\n{'class':20} {'n':>6} {'answered':>9} {'failed':>7} {'requests':>9}")  # noqa: T201 - for the note
    for name, row in sorted(rows.items()):
        print(f"{name:20} {row['n']:6} {row['answered']:9} {row['failed']:7} {row['requests']:9}")  # noqa: T201


def count(table, name, rows, requests):
    states = Counter(row["status"] for row in rows)
    table[name].update(
        {"n": len(rows), "answered": len(rows) - states["failed"], "failed": states["failed"], "requests": requests}
    )


def spec(texts, endpoint, **more):
    frame = pd.DataFrame({"narrative_id": [f"{n:05}" for n in range(len(texts))], "narrative": texts})
    served = {"provider": "scripted", "model_name": "m", "base_url": endpoint.url}
    return specs.complete(specs.Spec(**{"name": "faults", "prompt": PROMPT, "data": frame, **served, **more}))


def run(hub, one):
    """The run's last word, and its results by narrative."""
    *_, last = experiments.run(hub, one)
    return last, results(hub, one)


def results(hub, one):
    texts = dict(zip(one.data["narrative_id"], one.data["narrative"], strict=True))
    return {texts[row["narrative_id"]]: row for row in hub.verdicts(hub.find(one.name))}


def good(text):
    """A text says itself what the answer to it is."""
    return completion(answer("yes" in text))


# --- answers ----------------------------------------------------------------------------------------------

SAID = [  # a completion, and the verdict that is owed: status, flag, rational
    *((completion(words), status, flag, rational) for words, status, flag, rational in CORPUS),
    *(
        (completion([{"type": "thinking", "text": WHOLE}, {"type": "text", "text": words}]), status, flag, rational)
        for words, status, flag, rational in CORPUS[:100]
        if isinstance(words, str)
    ),
    *((completion(words, finish_reason="content_filter"), REFUSED, None, None) for words, *_ in CORPUS[:10]),
    *((completion(words, message={"refusal": "No."}), REFUSED, None, None) for words, *_ in CORPUS[:10]),
    *((completion(None, message={"reasoning_content": words}), FAILED, None, None) for words, *_ in CORPUS[:10]),
    *((completion('{"rational": "x", "fl', finish_reason=cut), FAILED, None, None) for cut in ("length", "max_tokens")),
]


def with_odd_chances(said, number):
    """The completion with chances of its tokens that are anything."""
    content = [
        None,
        {"token": '{"flag":'},
        {"token": " true", "logprob": math.nan},
        {"token": 7},
        "true",
        {"token": "}"},
    ]
    odd = [None, {}, [], {"content": None}, {"content": {}}, {"content": content}, {"content": content[1:3]}, "x", 7]
    said["choices"][0]["logprobs"] = odd[number % len(odd)]
    return said


def test_hostile_and_odd_answers_come_to_the_verdict_that_is_owed(tmp_path, scripted, table):
    owed = {f"answer {number}": case for number, case in enumerate(SAID)}
    plan = Plan(lambda text, _: with_odd_chances(owed[text][0], int(text.split()[1])))
    endpoint = scripted(plan)
    with Hub.open(tmp_path / "hub.db") as hub:
        last, found = run(hub, spec(list(owed), endpoint))
    assert (last.state, last.finished) == ("done", len(SAID))
    wrong = {
        text: (owed[text], row["status"], row["flag"], row["error"])
        for text, row in found.items()
        if (row["status"], row["flag"]) != owed[text][1:3] or (owed[text][3] not in (ANY, row["rational"]))
    }
    assert wrong == {}
    assert all(row["flag"] is None for row in found.values() if row["status"] in ("failed", "refused"))
    assert all("internal error" not in (row["error"] or "") for row in found.values())
    assert max(plan.asked.values()) <= 1 + len(("json", "text"))
    count(table, "answers", list(found.values()), plan.asked.total())


def test_there_are_enough_answers_and_faults_to_mean_something():
    assert len(SAID) >= 300
    assert len({case[0]["choices"][0]["message"]["content"].__repr__() for case in SAID}) >= 300
    assert len(FAULTS) * len(FATES) >= 100
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


# --- faults -----------------------------------------------------------------------------------------------

FATES = ("lasting yes", "lasting no", "passing yes", "passing no")


def faulty(by_name):
    """Lasting faults meet each request of a narrative, passing ones the first; the rest is answered."""

    def plan(text, number):
        fate, _, name = text.partition(": ")
        if fate.startswith("lasting") or (fate.startswith("passing") and number == 1):
            return by_name[name].respond
        return good(text)

    return plan


def suffer(tmp_path, scripted, faults, *, slack=0, **more):
    """A run in which each fault meets narratives of each fate; its results, and how many requests it made.

    `slack` is how many requests more a narrative may take, where the deadline is so short that a busy machine
    may miss it too.
    """
    by_name = {fault.name: fault for fault in faults}
    texts = [f"{fate}: {fault}" for fault in by_name for fate in (*FATES, "good yes", "good no")]
    random.Random(1).shuffle(texts)
    plan = Plan(faulty(by_name))
    one = spec(["good no: first", *texts], scripted(plan), **more)
    with Hub.open(tmp_path / "hub.db") as hub:
        last, found = run(hub, one)
        assert (last.state, last.finished) == ("done", len(texts) + 1)
        asked = Counter(plan.asked)
        for text, row in found.items():
            check(text, row, by_name.get(text.partition(": ")[2]), asked[text], slack)
        plan.plan = lambda text, _: good(text)
        last, _ = run(hub, one)
    assert "failed" not in last.statuses
    assert plan.asked - asked == Counter(text for text, row in found.items() if row["status"] == "failed")
    return list(found.values()), asked.total()


@pytest.mark.parametrize("name", CLASSES)
def test_every_narrative_has_a_state_whatever_the_endpoint_does(tmp_path, scripted, table, name):
    count(table, name, *suffer(tmp_path, scripted, CLASSES[name], concurrency=8))


def test_a_body_that_drips_and_one_that_never_comes_are_cut_by_the_deadline(tmp_path, scripted, table, monkeypatch):
    monkeypatch.setattr(providers, "DEADLINE_SECONDS", 1.0)
    began = time.monotonic()
    count(table, "late", *suffer(tmp_path, scripted, LATE, slack=2, concurrency=16))
    assert time.monotonic() - began < len(LATE) * len(FATES) * failures.ATTEMPTS["broken"] * providers.DEADLINE_SECONDS


def check(text, row, fault, requests, slack):
    fate = text.partition(":")[0]
    if fate.startswith("good"):
        assert (row["status"], row["flag"]) == ("ok", "yes" in fate), text
        assert 1 <= requests <= 1 + slack
        return
    if fault.kind == "answered" or fate.startswith("lasting"):
        assert row["status"] == fault.status, (text, row["error"])
        assert (row["error"] or "").startswith(fault.reason), (text, row["error"])
        # What an odd answer says is "no" wherever it says anything.
        assert row["flag"] == (0 if fault.status in ("ok", "salvaged") else None), text
        most = 1 if fault.kind == "answered" else failures.ATTEMPTS[fault.kind]
        assert most <= requests <= most + FORMS_TO_TRY * (fault.kind == "final"), (text, requests)
    elif fault.kind == "final":
        assert row["status"] in ("ok", "failed"), text
        assert row["flag"] == ("yes" in fate if row["status"] == "ok" else None), text
    else:
        assert (row["status"], row["flag"]) == ("ok", "yes" in fate), (text, row["error"])
        assert 2 <= requests <= 2 + slack, text


# --- faults that end a run --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENDS)
def test_what_no_question_survives_ends_the_run_with_one_line_and_loses_nothing(tmp_path, scripted, name):
    response, line = ENDS[name]
    broken = True
    plan = Plan(lambda text, _: response if broken and text >= "3" else good(text))
    endpoint = scripted(plan)
    one = spec([f"{number} yes" for number in range(10)], endpoint, concurrency=1)
    with Hub.open(tmp_path / "hub.db") as hub:
        with pytest.raises(EndpointError, match=line) as ended:
            run(hub, one)
        assert len(str(ended.value).splitlines()) == 1
        assert [row["status"] for row in results(hub, one).values()] == ["ok"] * 3 + [None] * 7
        assert plan.asked.total() == 4
        broken = False
        last, found = run(hub, one)
        assert (last.state, {row["flag"] for row in found.values()}) == ("done", {1})
        assert plan.asked.total() == 11


def test_an_endpoint_that_goes_down_ends_the_run_and_the_next_asks_the_rest(tmp_path, scripted):
    down = True
    plan = Plan(lambda text, _: (502, "down") if down and text >= "010" else good(text))
    endpoint = scripted(plan)
    one = spec([f"{number:03} yes" for number in range(100)], endpoint, concurrency=4)
    with Hub.open(tmp_path / "hub.db") as hub:
        with pytest.raises(
            EndpointError, match=r"2\d questions in a row had no answer \(502: down\); what is answered"
        ):
            run(hub, one)
        states = Counter(row["status"] for row in results(hub, one).values())
        assert states["ok"] == 10
        assert states["failed"] <= 20
        assert plan.asked.total() <= 10 + 5 * 24
        down = False
        last, _ = run(hub, one)
        assert last.statuses == {"ok": 100}


@pytest.mark.parametrize(
    ("response", "asked"),
    [
        ((400, message("invalid input")), 20 + 4 + in_other_forms(20)),
        ((418, message("no coffee")), 20 + 4),
        ((422, {"detail": "unprocessable"}), 20 + 4 + in_other_forms(20)),
    ],
)
def test_an_endpoint_that_turns_everything_down_ends_the_run_and_the_next_asks_all(tmp_path, scripted, response, asked):
    broken = True
    plan = Plan(lambda text, _: response if broken else good(text))
    one = spec([f"{number:03} yes" for number in range(100)], scripted(plan), concurrency=4)
    with Hub.open(tmp_path / "hub.db") as hub:
        with pytest.raises(EndpointError, match=r"20 narratives in a row for one reason \(4\d\d: .+\): change"):
            run(hub, one)
        states = Counter(row["status"] for row in results(hub, one).values())
        assert states == {"failed": 19, None: 81}  # what was decided stays, each with its reason
        assert plan.asked.total() <= asked
        broken = False
        last, _ = run(hub, one)
        assert last.statuses == {"ok": 100}


def test_narratives_that_fail_by_themselves_never_end_a_run(tmp_path, scripted):
    plan = Plan(lambda text, _: good(text) if text == "000 yes" else (400, message("too long for the context window")))
    one = spec([f"{number:03} yes" for number in range(60)], scripted(plan), concurrency=4)
    with Hub.open(tmp_path / "hub.db") as hub:
        last, _ = run(hub, one)
    assert last.statuses == {"ok": 1, "failed": 59}
    assert set(plan.asked.values()) == {1}


# --- one call in ten --------------------------------------------------------------------------------------

NARRATIVES = 5_000
MIXED = [
    (429, message("slow down"), {"Retry-After": "0.01"}),
    (429, message("slow down")),
    (500, message("oops")),
    (502, "<html>"),
    (503, message("loading"), {"Retry-After": "0.01"}),
    (529, message("overloaded")),
    (200, message("overloaded")),
    (200, "<html>"),
    (200, json.dumps(good("no"))[:90]),
    on_the_wire(b"", abort=True),
    on_the_wire(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"),
    raw(b"\xff\xfe"),
]


def chance(*parts):
    """A number from 0 to 1 that hangs on these alone."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6]) / 2**48


def mixed(text, number):
    """One request in ten fails, in one of many ways; a few of those hang."""
    dice = chance(text, number)
    if dice >= 0.1:
        return good(text)
    return hang if dice < 0.0004 else MIXED[int(dice * 1e6) % len(MIXED)]


def test_with_one_call_in_ten_failing_a_long_run_ends_complete_and_a_second_asks_nothing(
    tmp_path, scripted, table, monkeypatch
):
    monkeypatch.setattr(providers, "DEADLINE_SECONDS", 3.0)
    plan = Plan(mixed)
    endpoint = scripted(plan)
    texts = [f"narrative {number}: {'yes' if number % 3 else 'no'}" for number in range(NARRATIVES)]
    one = spec(texts, endpoint, concurrency=64)
    with Hub.open(tmp_path / "hub.db") as hub:
        last, found = run(hub, one)
        assert (last.state, last.statuses) == ("done", {"ok": NARRATIVES})
        assert all(row["flag"] == ("yes" in text) for text, row in found.items())
        asked = Counter(plan.asked)
        assert set(asked) == set(texts)
        assert max(asked.values()) <= failures.MOST_ATTEMPTS
        assert NARRATIVES * 1.05 < asked.total() < NARRATIVES * 1.25
        again, _ = run(hub, one)
    assert (again.asked, plan.asked) == (0, asked)
    count(table, "one call in ten", list(found.values()), asked.total())
