"""Synthetic incidents, each told by a medical examiner (CME) and by law enforcement (LE).

An incident has latent facts (who, living how, with whom, and a scenario). Either narrator learns only a part
of what there is to tell and writes it down among the usual background; a coder flags what they wrote. So the
truth of a narrative is what its text supports, that of an incident is what happened, and flags are near both.

    python -m exphub_magics.sample.generate [--incidents N] [--seed S] [--out DIR]
"""

from __future__ import annotations

import argparse
import csv
import functools
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from exphub_magics.sample.narrators import Dice, Facts, material, narrate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

INCIDENTS, SEED = 640, 108
SOURCES = ("CME", "LE")
AVAILABLE = {SOURCES: 0.767, SOURCES[:1]: 0.211, SOURCES[1:]: 0.022}
MATERIAL = ("positive_direct", "positive_indirect", "negative_partner", "negative_others", "negative_none")
# A narrator who learns of anything learns of about half of it; a coder misses little of what is clear.
INFORMED, LEARNT, MISSED, IMAGINED = 0.66, 0.5, 0.04, 0.0015


@dataclass(frozen=True, slots=True)
class Narrative:
    """One source's account: what it says, what it supports, and what the coder marked."""

    source: str
    text: str
    truth: bool
    flag: bool
    is_placeholder: bool


@dataclass(frozen=True, slots=True)
class Incident:
    """One death with its latent scenario and the narratives that were written about it."""

    incident_id: str
    scenario: str
    truth: bool
    flag: bool
    year: int
    state: str
    narratives: tuple[Narrative, ...]


@functools.cache
def scenarios() -> dict[str, Any]:
    """Every scenario by name, positives first.

    >>> scenarios()["stalking"]["positive"], scenarios()["bait"]["positive"]
    (True, False)
    """
    return {name: scenario for file in MATERIAL for name, scenario in material(file).items()}


def incidents(n: int = INCIDENTS, seed: int = SEED) -> Iterator[Incident]:
    """Stream incidents: the same seed gives the same ones, and fewer are the first of more.

    >>> [incident.incident_id for incident in incidents(3, seed=1)]
    ['100000', '107919', '115838']
    >>> list(incidents(2, seed=1)) == list(incidents(3, seed=1))[:2]
    True
    """
    dice = Dice(Random(seed))  # noqa: S311 - reproducible text, no cryptography
    names = [name for name, scenario in scenarios().items() for _ in range(round(5 * scenario["weight"]))]
    for number in range(n):
        # A stride that is coprime to the range: ids look arbitrary and stay unique.
        incident_id = 100_000 + number * 7_919 % 900_000 + number // 900_000 * 900_000
        yield _incident(dice, str(incident_id), dice.draw(names))


def _incident(dice: Dice, incident_id: str, name: str) -> Incident:
    scenario, positive = scenarios()[name], scenarios()[name]["positive"]
    facts = _facts(dice, scenario)
    sources = dice.weighted(AVAILABLE)
    absent = dice.weighted({"CME": 0.35, "LE": 0.65}) if sources == SOURCES and dice.chance(0.06) else None
    shares = _shares(dice, [source for source in sources if source != absent], counter="counter" in scenario)
    doubt = scenario.get("doubt", MISSED if positive else IMAGINED)
    narratives = []
    for source in sources:
        if source == absent:
            placeholder = dice.draw(material("words")[f"placeholder_{source}"])
            narratives.append(Narrative(source, placeholder, truth=False, flag=False, is_placeholder=True))
            continue
        truth = positive and shares[source] > 0
        text = narrate(dice, facts, source, scenario, shares[source])
        flag = truth ^ dice.chance(IMAGINED if positive and not truth else doubt)
        narratives.append(Narrative(source, text, truth, flag, is_placeholder=False))
    return Incident(
        incident_id=incident_id,
        scenario=name,
        truth=positive,
        flag=positive ^ dice.chance(doubt),
        year=2016 + dice.rng.randrange(7),
        state=dice.rng.choice(material("words")["state"]),
        narratives=tuple(narratives),
    )


def _shares(dice: Dice, sources: Sequence[str], *, counter: bool) -> dict[str, int]:
    """How many pieces of evidence each narrator learnt of: one of them at least, or one of them alone."""
    pieces = dice.weighted({1: 0.2, 2: 0.3, 3: 0.3, 4: 0.2})
    informed = [source for source in sources if dice.chance(INFORMED)]
    chosen = dice.rng.choice(informed or list(sources))
    told = [chosen] if counter else [*informed, chosen]
    learnt = {source: max(1, sum(dice.chance(LEARNT) for _ in range(pieces))) for source in sources}
    return {source: learnt[source] if source in told else 0 for source in sources}


def _facts(dice: Dice, scenario: Mapping[str, Any]) -> Facts:
    fixed, lists = scenario.get("facts", {}), material("words")
    age = int(dice.rng.triangular(scenario.get("min_age", 24), 79, 40))
    sex, other = dice.rng.sample(("female", "male"), 2)
    partner_sex = sex if fixed.get("pairing") == ["same"] or dice.chance(0.06) else other
    bond = dice.weighted({bond: lists["bond"][bond] for bond in fixed.get("bond", lists["bond"])})
    home = _home(dice, fixed.get("home"), bond, together=bond == "spouse" or "cohabit" in scenario)
    health = dice.rng.choice(fixed.get("health", ("well", "well", "pain", "heart", "depressed", "drinking")))
    work = _work(dice, age)
    away = () if work == "employed" else lists["colleagues"]
    words = {name: dice.rng.choice(lists[name]) for name in ("dwelling", "room", "job", "pain", "heart")}
    words |= _people(dice, age, fixed.get("kin", lists["kin"])) | lists[sex] | {"age": str(age)}
    words["peer"] = dice.rng.choice([peer for peer in lists["peer"] if peer not in away])
    words["friend"] = dice.rng.choice([who for who in lists["friend"] if who not in {*away, words["peer"]}])
    words |= _prefixed("r_", lists["female" if words["relative"] in lists["women"] else "male"])
    if bond != "single":
        words |= _prefixed("p_", lists[partner_sex]) | {"partner": dice.rng.choice(lists[bond][partner_sex])}
    words["partner_or_family"] = words.get("partner", "family")
    words["finder"] = _finder(dice, home, {*away, words["peer"]})
    status = {"current"} if bond in {"spouse", "dating"} else set()
    told = {bond, home, health, work, _relation(bond, home), _life(age), words["peer"]}
    return Facts(frozenset(told | status | set(scenario.get("tags", ()))), words)


def _prefixed(prefix: str, words: Mapping[str, str]) -> dict[str, str]:
    return {prefix + name: word for name, word in words.items()}


def _home(dice: Dice, allowed: Sequence[str] | None, bond: str, *, together: bool) -> str:
    may_share = bond in {"spouse", "dating"} and (allowed is None or "with_partner" in allowed)
    if may_share and (together or allowed == ["with_partner"] or dice.chance(0.5)):
        return "with_partner"
    return str(dice.rng.choice(allowed or ("alone", "alone", "with_kin", "roommate")))


def _relation(bond: str, home: str) -> str:
    if bond in {"spouse", "dating"}:
        return "together" if home == "with_partner" else "apart"
    return "single" if bond == "single" else "ex"


def _work(dice: Dice, age: int) -> str:
    retired = 0.8 if age >= 63 else 0  # noqa: PLR2004 - an age
    return dice.weighted({"retired": retired, "employed": 0.7 * (1 - retired), "unemployed": 0.3 * (1 - retired)})


def _life(age: int) -> str:
    return "young" if age < 28 else "parent" if age <= 52 else "older"  # noqa: PLR2004 - ages


def _people(dice: Dice, age: int, kin: Sequence[str]) -> dict[str, str]:
    """Choose an informant, another relative and a third one, of whom none is out of step with the age."""
    lists = material("words")
    unlikely = {*(lists["elders"] if age > 52 else ()), *(lists["children"] if age < 46 else ())}  # noqa: PLR2004
    first, second = dice.rng.sample([person for person in kin if person not in unlikely], 2)
    others = [person for person in lists["relative"] if person not in {*unlikely, first, second}]
    return {"kin": first, "other_kin": second, "relative": dice.rng.choice(others)}


def _finder(dice: Dice, home: str, unlikely: set[str]) -> str:
    at_home = {"with_partner": "<his> <partner>", "with_kin": "<his> <other_kin>", "roommate": "a roommate"}
    strangers = [finder for finder in material("words")["finder"] if finder.split(" ", 1)[1] not in unlikely]
    return at_home.get(home) or str(dice.rng.choice(strangers))


def rows(told: Iterable[Incident]) -> Iterator[dict[str, str | int]]:
    """Lay incidents out long, a narrative a row.

    >>> next(rows(incidents(1, seed=1)))["incident_id"]
    '100000'
    """
    for incident in told:
        for narrative in incident.narratives:
            yield {
                "incident_id": incident.incident_id,
                "narrative_type": narrative.source,
                "narrative": narrative.text,
                "manual_flag_ind": int(narrative.flag),
                "manual_flag": int(incident.flag),
                "year": incident.year,
                "state": incident.state,
            }


def wide_rows(told: Iterable[Incident]) -> Iterator[dict[str, str | int | None]]:
    """Lay incidents out wide, an incident a row; a source that wrote nothing has empty cells.

    >>> list(next(wide_rows(incidents(1, seed=1))))[:3]
    ['IncidentID', 'NarrativeCME', 'NarrativeLE']
    """
    for incident in told:
        by_source = {narrative.source: narrative for narrative in incident.narratives}
        row: dict[str, str | int | None] = {"IncidentID": incident.incident_id}
        row |= {f"Narrative{source}": by_source[source].text if source in by_source else None for source in SOURCES}
        row |= {
            f"ipv_manual{source}": int(by_source[source].flag) if source in by_source else None for source in SOURCES
        }
        yield row | {"ipv_manual": int(incident.flag), "year": incident.year, "state": incident.state}


def write(told: Sequence[Incident], folder: Path) -> None:
    """Write `sample.csv` and `sample_wide.xlsx` into a folder."""
    import openpyxl  # noqa: PLC0415 - only writing needs it

    long = list(rows(told))
    with (folder / "sample.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(long[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(long)
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("narratives")
    wide = list(wide_rows(told))
    for row in (list(wide[0]), *(list(row.values()) for row in wide)):
        sheet.append(row)
    book.save(folder / "sample_wide.xlsx")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the sample from the command line."""
    parser = argparse.ArgumentParser(prog="exphub_magics.sample.generate", description="Write a synthetic sample.")
    parser.add_argument("--incidents", type=int, default=INCIDENTS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args(arguments)
    if options.incidents < 1 or not options.out.is_dir():
        parser.error("--incidents is at least 1, and --out is a folder that exists")
    write(list(incidents(options.incidents, options.seed)), options.out)


if __name__ == "__main__":
    main()
