"""A hub with every kind of outcome in it, small enough to check in the head."""

HOSTILE = (
    "<script>window.alive = 1</script><img src=x onerror='window.alive = 2'><b onclick='window.alive = 3'>bold</b>"
)
PLAIN = "V lived alone and was treated for heart disease."
TEXTS = {  # the manual flag, and the text
    "1-CME": (True, "V was hit by her boyfriend the week before."),
    "1-LE": (True, "The boyfriend had shoved V in the hall, a neighbor said."),
    "2-CME": (False, PLAIN),
    "2-LE": (False, "Officers found the door locked. 50% of the rooms were empty_handed."),
    "3-CME": (True, "V told a friend that she was afraid to go home."),
    "3-LE": (False, "Need LE report"),
    "4-CME": (False, "V argued with a coworker at the CAFÉ about a parking place."),
    "4-LE": (True, "V's husband threatened her the night before, the sister stated."),
    "5-CME": (False, "V denied any violence by her partner at the last visit."),
    "6-CME": (None, "V had lost his job in the spring."),
    "6-LE": (None, "The café was closed; a {note} for $5 was found."),
    "7-CME": (None, "Nothing of note."),
}
ANSWERS = {  # of partner@1: status, flag, confidence
    "1-CME": ("ok", True, 0.9),
    "1-LE": ("ok", False, 0.6),
    "2-CME": ("ok", False, 0.95),
    "2-LE": ("ok", True, 0.3),
    "3-CME": ("failed", None, None),
    "3-LE": ("not_evaluable", None, None),
    "4-CME": ("salvaged", True, None),
    "4-LE": ("ok", True, 0.7),
    "5-CME": ("refused", None, None),
    "6-CME": ("ok", True, 0.5),
    "6-LE": ("ok", False, 0.5),
}  # 7-CME is pending
SECOND = {  # of partner@2
    "1-CME": ("ok", True, 0.8),
    "1-LE": ("ok", True, 0.8),  # newly right
    "2-CME": ("ok", True, 0.8),  # newly wrong
    "2-LE": ("ok", True, 0.8),
    "4-LE": ("ok", False, 0.8),  # newly wrong
    "6-CME": ("ok", False, 0.8),  # differs, and nobody knows which is right
}


def dataset(hub, texts, name="rows.csv"):
    rows = [
        {
            "narrative_id": one,
            "incident_id": one.split("-")[0],
            "source": one.split("-")[1],
            "narrative_text": text,
            "facts": '{"year": "2020"}',
            "placeholder": "a placeholder" if text.startswith("Need") else None,
        }
        for one, (_, text) in texts.items()
    ]
    number = hub.register_dataset(name=name, sha256=name, columns={}, profile={}, narratives=rows)
    hub.label(number, {one: flag for one, (flag, _) in texts.items() if flag is not None}, coder="manual")
    return number


def experiment(hub, name, number, answers, *, selected=None, rational="She was “{}”."):
    about = {"name": name, "author": "A", "dataset_id": number, "notes": None, "settings": {}, "environment": {}}
    fingerprint = str(len(hub.names()))
    known = ("m", "served")
    made, _ = hub.register(
        {**about, "fingerprint": fingerprint}, prompt=("Is it?", "p"), model=known, selected=selected
    )
    results, responses = [], []
    for one, (status, flag, confidence) in answers.items():
        asked = status != "not_evaluable"
        body = f'{{"flag": {str(flag).lower()}}}'
        result = {
            "narrative_id": one,
            "status": status,
            "flag": flag,
            "confidence": confidence,
            "rational": rational.format(one) if flag is not None else None,
            "reasoning_steps": '["first", "second"]' if flag is not None else None,
            "error": None if flag is not None else f"why {status}",
            "request_hash": f"{made} {one}" if asked else None,
            "attempts": 1 if asked else None,
        }
        results.append(result)
        if asked:
            response = {"request_hash": result["request_hash"], "question_hash": result["request_hash"], "body": body}
            responses.append({**response, "served_model": "m-2026"})
    hub.record(made, results, responses)
    return made


def fill(hub):
    """partner@1 with every outcome, partner@2, strict@1 on other data that shares five texts, drawn@1 of four."""
    first = dataset(hub, TEXTS)
    other = {one: TEXTS[one] for one in ("1-CME", "1-LE", "2-CME", "4-LE")} | {"2-LE": (False, "Another text.")}
    second = dataset(hub, other, "others.csv")
    experiment(hub, "partner", first, ANSWERS)
    experiment(hub, "partner", first, SECOND)
    experiment(hub, "strict", second, dict.fromkeys(other, ("ok", False, 0.5)))
    drawn = {"1-CME": ("ok", True, 0.5), "2-CME": ("ok", False, 0.5)}
    experiment(hub, "drawn", first, drawn, selected=["1-CME", "2-CME", "6-CME", "7-CME"])
    return hub
