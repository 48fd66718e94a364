"""A hub of two experiments full of words that must never leave it, and a reader of the page made from it."""

import json
from html.parser import HTMLParser

import plotly.offline

from exphub_magics import reports

# Ten narratives of six incidents, and what two experiments say of them.
ROWS = [
    ("1-CME", "1", True, True, True),
    ("1-LE", "1", True, True, True),
    ("2-CME", "2", False, False, True),
    ("2-LE", "2", False, True, False),
    ("3-CME", "3", True, False, True),
    ("3-LE", "3", False, None, None),
    ("4-CME", "4", False, False, False),
    ("4-LE", "4", True, False, True),
    ("5-CME", "5", False, False, False),
    ("6-CME", "6", None, True, False),
]
CANARIES = [
    "storycanary",
    "reasoncanary",
    "stepcanary",
    "errorcanary",
    "notecanary",
    "promptcanary",
    "hostcanary",
    "foldercanary",
]
CANARY_IDS = {f"{one}idcanary" for one, *_ in ROWS} | {f"incidentcanary{one}" for one in "123456"}


def register_rows(hub, rows=ROWS, *, sha256="a" * 64, name="rows.csv"):
    number = hub.register_dataset(
        name=name,
        sha256=sha256,
        columns={},
        profile={},
        narratives=[
            {
                "narrative_id": f"{one}idcanary",
                "incident_id": f"incidentcanary{incident}",
                "source": one.split("-")[1],
                "narrative_text": f"storycanary of {one}",
                "facts": "{}",
                "placeholder": None,
            }
            for one, incident, *_ in rows
        ],
    )
    labels = {f"{one}idcanary": manual for one, _, manual, *_ in rows if manual is not None}
    hub.label(number, labels, coder="manual", notes=dict.fromkeys(labels, "notecanary"))
    return number


def answer(hub, dataset, name, flags, *, author="A. Author", model="rules-1", rational="reasoncanary", selected=None):
    number, _ = hub.register(
        {
            "name": name,
            "author": author,
            "dataset_id": dataset,
            "settings": {"temperature": 0.2, "base_url": "http://hostcanary:1/v1"},
            "environment": {"exphub": "0.1.0", "python": "3.11.7", "platform": "Linux", "packages": {"pandas": "3"}},
            "fingerprint": f"{name}{len(hub.leaderboard())}",
            "notes": "notecanary",
        },
        prompt=(f"promptcanary {name}", f"{sum(map(ord, name)):064x}"[::-1]),
        model=(model, "builtin"),
        selected=selected,
    )
    results = [
        {
            "narrative_id": f"{one}idcanary",
            "rational": rational,
            "flag": flag,
            "reasoning_steps": json.dumps(["stepcanary"]),
            "status": "failed" if flag is None else "ok",
            "confidence": None if flag is None else 0.9,
            "error": "errorcanary at /foldercanary/x" if flag is None else None,
        }
        for one, flag in flags.items()
    ]
    hub.record(number, results)
    hub.finish(number)
    return number


def fill(hub):
    dataset = register_rows(hub)
    answer(hub, dataset, "first", {one: first for one, *_, first, _ in ROWS})
    answer(hub, dataset, "second", {one: second for one, *_, second in ROWS}, author="B. Author")
    return hub


def read(hub, names=()):
    return Page(without_plotly(reports.html(hub, names)))


class Page(HTMLParser):
    """The tables of a page as lists of rows, its other text, and every address in it."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.captions, self.text, self.addresses, self.tags = [], [], [], [], []
        self._cell = self._inside = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._inside = tag if tag in {"script", "style"} else None
        self.addresses += [value for key, value in attributes if key in {"src", "href", "action", "data", "poster"}]
        if tag == "table":
            self.tables.append([])
        elif tag == "caption":
            self.captions.append("")
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"th", "td"}:
            self._cell = []
        elif tag in {"br", "small"} and self._cell is not None:
            self._cell.append(" ")

    def handle_endtag(self, tag):
        self._inside = None
        if tag in {"th", "td"}:
            self.tables[-1][-1].append(" ".join("".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data):
        if self._inside:
            return
        self.text.append(data)
        if self._cell is not None:
            self._cell.append(data)
        elif self.captions and not self.tables[-1]:
            self.captions[-1] += data

    def table(self, caption, nth=0):
        """The nth table whose caption begins so, as rows by their first cell."""
        place = [n for n, one in enumerate(self.captions) if one.startswith(caption)][nth]
        head, *rows = self.tables[place]
        return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def without_plotly(text):
    script = plotly.offline.get_plotlyjs()
    assert text.count(script) == 1
    return text.replace(script, "")
