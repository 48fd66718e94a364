from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections import Counter
from importlib.resources import files
from itertools import islice
from typing import TYPE_CHECKING

import openpyxl
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score, f1_score, roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from exphub_magics.sample import generate, narrators

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = files("exphub_magics.sample")
PLAIN_WORDS = {"abuse", "violence", "hit", "dv", "domestic"}
# Neither how somebody died nor what was done to a body has a place in the sample.
BANNED = set(
    re.findall(
        r"\w+",
        """
        gun guns gunshot firearm firearms pistol rifle shotgun revolver handgun weapon weapons
        bullet bullets ammunition shot shoot shooting hanging hanged noose rope ligature cord
        belt asphyxia asphyxiation suffocation suffocated strangle strangled strangling
        strangulation choke choked choking overdose overdosed pills ingested poison poisoning
        poisoned monoxide helium drown drowned drowning jumped stab stabbed stabbing knife
        knives razor slashed cutting stomach wound wounds wounded bruise bruises bruised
        bruising bleeding bloody laceration lacerations fracture fractured concussion contusion
        abrasion scar scars burns burned suicide suicidal homicide murder murdered killed kill
        killing corpse decomposed decomposition rape raped
        """,
    )
)


@pytest.fixture(scope="module")
def shipped() -> list[dict[str, str]]:
    with (FOLDER / "sample.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def told() -> list[generate.Incident]:
    return list(generate.incidents())


@pytest.fixture(scope="module")
def narratives(told) -> list[generate.Narrative]:
    return [narrative for incident in told for narrative in incident.narratives]


@pytest.fixture(scope="module")
def flags(narratives) -> list[bool]:
    return [narrative.flag for narrative in narratives]


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def grams(text: str, n: int) -> set[tuple[str, ...]]:
    found = words(text)
    return set(zip(*(found[at:] for at in range(n)), strict=False))


def best_rule(features: list[set], flags: list[bool]) -> float:
    """The F1 of the best rule of the form `flagged when this is in the text`, or when it is not."""
    positive, everywhere, among = sum(flags), Counter(), Counter()
    for found, flag in zip(features, flags, strict=True):
        everywhere.update(found)
        among.update(found if flag else ())
    present = (2 * among[one] / (everywhere[one] + positive) for one in everywhere)
    absent = (2 * (positive - among[one]) / (len(flags) - everywhere[one] + positive) for one in everywhere)
    return max(*present, *absent)


def test_the_shipped_file_is_what_the_generator_writes(tmp_path: Path, told):
    generate.write(told, tmp_path)
    assert (tmp_path / "sample.csv").read_bytes() == (FOLDER / "sample.csv").read_bytes()


def test_the_command_line_writes_both_files(tmp_path: Path):
    command = [sys.executable, "-m", "exphub_magics.sample.generate", "--incidents", "3", "--seed", "9"]
    subprocess.run([*command, "--out", str(tmp_path)], check=True)
    assert {path.name for path in tmp_path.iterdir()} == {"sample.csv", "sample_wide.xlsx"}


def test_more_incidents_begin_with_the_same_ones():
    assert list(islice(generate.incidents(10**9, seed=4), 20)) == list(generate.incidents(20, seed=4))


def test_another_seed_tells_other_incidents():
    assert list(generate.incidents(5, seed=1)) != list(generate.incidents(5, seed=2))


def test_the_counts_are_those_of_a_small_labelled_study(told, narratives, flags):
    assert len(told) >= 600
    assert 1_050 <= len(narratives) <= 1_200
    assert 0.86 <= 1 - sum(flags) / len(flags) <= 0.90
    shares = Counter(tuple(one.source for one in incident.narratives) for incident in told)
    assert shares["CME", "LE"] / len(told) == pytest.approx(0.767, abs=0.04)
    assert shares[("CME",)] / len(told) == pytest.approx(0.211, abs=0.04)
    assert shares[("LE",)] > 0


def test_the_long_file_has_the_columns_that_users_have(shipped):
    assert list(shipped[0]) == [
        "incident_id",
        "narrative_type",
        "narrative",
        "manual_flag_ind",
        "manual_flag",
        "year",
        "state",
    ]
    assert {row["narrative_type"] for row in shipped} == {"CME", "LE"}
    assert all(re.fullmatch(r"\d{6}", row["incident_id"]) for row in shipped)
    assert {row["manual_flag_ind"] for row in shipped} == {row["manual_flag"] for row in shipped} == {"0", "1"}
    assert len({(row["incident_id"], row["narrative_type"]) for row in shipped}) == len(shipped)


def test_the_wide_sheet_says_the_same_as_the_long_file(shipped):
    with (FOLDER / "sample_wide.xlsx").open("rb") as file:
        header, *cells = openpyxl.load_workbook(file, read_only=True).active.iter_rows(values_only=True)
    assert list(header[:3]) == ["IncidentID", "NarrativeCME", "NarrativeLE"]
    long = []
    for row in (dict(zip(header, row, strict=True)) for row in cells):
        assert isinstance(row["IncidentID"], str)
        for source in ("CME", "LE"):
            assert (row[f"Narrative{source}"] is None) == (row[f"ipv_manual{source}"] is None)
            if row[f"Narrative{source}"] is not None:
                narrative, flag = row[f"Narrative{source}"], row[f"ipv_manual{source}"]
                case = [
                    row["IncidentID"],
                    source,
                    narrative,
                    flag,
                    row["ipv_manual"],
                    row["year"],
                    row["state"],
                ]
                long.append([str(cell) for cell in case])
    assert long == [list(row.values()) for row in shipped]


def test_positives_come_from_both_sources_and_many_scenarios(told):
    positive = [(one.source, incident.scenario) for incident in told for one in incident.narratives if one.flag]
    assert min(Counter(source for source, _ in positive).values()) >= 30
    for group in (
        Counter(incident.scenario for incident in told),
        Counter(scenario for _, scenario in positive),
    ):
        assert max(group.values()) / sum(group.values()) < 0.45
    assert {incident.scenario for incident in told} == set(generate.scenarios())


def test_a_narrative_of_a_negative_incident_supports_nothing(told):
    assert not any(one.truth for incident in told if not incident.truth for one in incident.narratives)
    assert all(any(one.truth for one in incident.narratives) for incident in told if incident.truth)


def test_sources_disagree_where_one_lacks_the_evidence(told):
    both = [[one.truth for one in incident.narratives] for incident in told if len(incident.narratives) == 2]
    assert 0.3 < cohen_kappa_score(*zip(*both, strict=True)) < 0.8


def test_manual_flags_are_nearly_but_not_always_right(narratives, flags):
    kappa = cohen_kappa_score(flags, [one.truth for one in narratives])
    assert 0.9 < kappa < 0.99


def test_placeholders_are_few_and_never_flagged(narratives):
    placeholders = [one for one in narratives if one.is_placeholder]
    assert 0.015 < len(placeholders) / len(narratives) < 0.045
    assert not any(one.flag or one.truth for one in placeholders)
    assert min(len(one.text.split()) for one in narratives if not one.is_placeholder) > 15


def test_no_single_word_tells_the_label(narratives, flags):
    assert best_rule([set(words(one.text)) for one in narratives], flags) < 0.5


def test_no_pair_of_words_tells_the_label(narratives, flags):
    assert best_rule([grams(one.text, 2) for one in narratives], flags) < 0.6


def test_neither_length_nor_source_tells_the_label(narratives, flags):
    lengths = [len(one.text.split()) for one in narratives]
    assert 70 <= sum(lengths) / len(lengths) <= 140
    assert 0.45 <= roc_auc_score(flags, lengths) <= 0.55
    assert 0.45 <= roc_auc_score(flags, [one.source == "LE" for one in narratives]) <= 0.55


def test_many_positives_lack_the_plain_words(narratives):
    positive = [set(words(one.text)) for one in narratives if one.flag]
    assert sum(not found & PLAIN_WORDS for found in positive) / len(positive) >= 0.4


def test_plain_words_occur_in_many_negatives(narratives):
    cues = PLAIN_WORDS | {
        "abusive",
        "threatened",
        "afraid",
        "threats",
        "order",
        "shelter",
        "controlled",
        "struck",
    }
    assert sum(bool(set(words(one.text)) & cues) for one in narratives if not one.truth) >= 150


def test_no_two_narratives_are_alike(narratives):
    texts = [one.text for one in narratives if not one.is_placeholder]
    assert len(set(texts)) == len(texts)
    shingles = [grams(text, 5) for text in texts]
    holders: dict[tuple[str, ...], list[int]] = {}
    for at, found in enumerate(shingles):
        for gram in found:
            holders.setdefault(gram, []).append(at)
    shared = Counter((a, b) for held in holders.values() for n, b in enumerate(held) for a in held[:n])
    alike = [pair for pair, n in shared.items() if n / len(shingles[pair[0]] | shingles[pair[1]]) > 0.8]
    assert len({at for pair in alike for at in pair}) / len(texts) < 0.01


def test_a_bag_of_words_finds_it_neither_trivial_nor_impossible(told, narratives, flags):
    groups = [incident.incident_id for incident in told for _ in incident.narratives]
    model = make_pipeline(
        TfidfVectorizer(sublinear_tf=True), LogisticRegression(class_weight="balanced", C=3, max_iter=500)
    )
    guessed = cross_val_predict(model, [one.text for one in narratives], flags, groups=groups, cv=GroupKFold(5))
    assert 0.35 <= f1_score(flags, guessed) <= 0.8


@pytest.mark.parametrize("name", ["examiner", "officer", "plain_words", "words", *generate.MATERIAL])
def test_the_material_names_no_method_and_no_injury(name):
    text = (FOLDER / "material" / f"{name}.yml").read_text(encoding="utf-8")
    assert not set(words(text)) & BANNED


def test_the_material_is_ample():
    for name, scenario in generate.scenarios().items():
        assert sum(len(lines) for lines in scenario["evidence"].values()) >= 25, name
    for voice in narrators.VOICE.values():
        lines = [line for topic in narrators.material(voice).values() for lines in topic.values() for line in lines]
        assert len(lines) >= 150


def test_every_slot_is_filled(narratives):
    assert not [one.text for one in narratives if re.search(r"[<>|]|\s\s|\ba [aeio](?!ne\b|ne-|nce)", one.text)]


def test_pronouns_agree_with_the_sex_that_a_text_states(told):
    # In this scenario nobody but the decedent is referred to by a pronoun.
    texts = [one.text for incident in told for one in incident.narratives if incident.scenario == "money"]
    stated = [(text, sex[0]) for text in texts if (sex := re.search(r"\b(?:wo)?man\b", text))]
    assert len(stated) > 10
    for text, sex in stated:
        assert {"man": "she", "woman": "he"}[sex] not in words(text)


def test_the_data_card_counts_what_is_shipped(told):
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*\| (\d+) \| (\d+) \| (\d+) \|$", card, flags=re.MULTILINE)
    counted: Counter[tuple[str, str]] = Counter()
    for incident in told:
        counted[incident.scenario, "incidents"] += 1
        counted[incident.scenario, "narratives"] += len(incident.narratives)
        counted[incident.scenario, "flagged"] += sum(one.flag for one in incident.narratives)
    columns = ("incidents", "narratives", "flagged")
    assert [(row[0], *map(int, row[1:])) for row in rows] == [
        (name, *(counted[name, column] for column in columns)) for name in generate.scenarios()
    ]
