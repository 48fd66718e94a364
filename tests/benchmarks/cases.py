"""Narratives in any number: the sample's, each made one of its own, and about 800 characters long."""

from __future__ import annotations

import csv
import itertools
import json
from importlib import resources
from pathlib import Path

from exphub_magics import prompts, specs
from exphub_magics.providers import forms

CHARACTERS = 800
MODEL = "bench-1"
PROMPT = Path(__file__).parents[2] / "prompts" / "indicators.txt"
COLUMNS = ("narrative_id", "incident_id", "narrative", "manual_flag", "year")


def texts() -> list[tuple[str, str]]:
    """Texts of the wanted length, put together from the sample's, each with the flag of its first part."""
    with (resources.files("exphub_magics.sample") / "sample.csv").open(encoding="utf-8", newline="") as file:
        parts = [(row["narrative"], row["manual_flag"]) for row in csv.DictReader(file) if len(row["narrative"]) > 100]
    return [(f"{first} {second}"[:CHARACTERS], flag) for (first, flag), (second, _) in itertools.pairwise(parts)]


def write(file: Path, number: int) -> Path:
    """A csv of so many narratives; its rows are made as they are written."""
    known = texts()
    with file.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(COLUMNS)
        for one in range(number):
            text, flag = known[one % len(known)]
            rows.writerow((f"n{one}", f"i{one // 2}", f"Case {one}. {text}", flag, 2010 + one % 10))
    return file


def write_requests(file: Path, narratives: Path) -> Path:
    """What ExpHub sends about the narratives of a csv, one body a line, without what it asks for beside the form."""
    prompt = prompts.parse(PROMPT.read_text(encoding="utf-8"))
    spec = specs.Spec(name="bench", prompt=prompt, provider="bench", model_name=MODEL)
    with narratives.open(encoding="utf-8", newline="") as cases, file.open("w", encoding="utf-8") as out:
        for row in csv.DictReader(cases):
            question = spec.question(row["narrative_id"], row["narrative"], {})
            out.write(json.dumps(forms.request(spec, question, forms.Form(logprobs=False))) + "\n")
    return file
