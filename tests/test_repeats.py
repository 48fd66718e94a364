import hashlib
import json
import statistics
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from endpoint import ScriptedEndpoint, answer, completion
from exphub_magics import comparisons, experiments
from exphub_magics.errors import UnknownNameError
from exphub_magics.hub import Hub
from exphub_magics.metrics.stability import BEYOND, NO_DIFFERENCE, UNKNOWN, WITHIN
from exphub_magics.reports import repeats
from exphub_magics.reports.repeats import Repeats, html, table, text
from exphub_magics.specs import configs
from markup_reader import Page

SANITISED = {"table", "thead", "tbody", "tr", "th", "td", "div"}
HOSTILE = """<script>alert("1")</script><img src=x onerror='alert(2)'>&amp;"""
MATRIX = """\
- experiment_name: ipv
  provider: scripted
  base_url: {url}
  model_name: m
  data: people.csv
  repeats: 3
  matrix:
    prompt_file: [plain.txt, strict.txt]
    temperature: [0, 0.5]
"""


def labelled(n=60):
    """Narratives of incidents of two, each third labelled yes, the last one not at all."""
    rows = [
        {
            "narrative_id": f"n{number}",
            "incident_id": str(number // 2),
            "narrative": f"V was seen on day {number}.",
            "manual_flag": "" if number == n - 1 else str(int(number % 3 == 0)),
        }
        for number in range(n)
    ]
    return pd.DataFrame(rows)


def record(hub, frame, flags, *, repeat=1, name="first", settings=None, prompt="Is it?", **more):
    """Write an experiment as a run would; None is a narrative that failed."""
    dataset, _ = experiments.register_dataset(hub, experiments.datasets.read(frame, name="people"))
    given = {"author": "A", "environment": {}, "notes": None, "dataset_id": dataset, "name": name}
    said = (settings or {}) | ({"repeat": repeat} if repeat > 1 else {})
    experiment, _ = hub.register(
        {**given, "settings": said, "fingerprint": str(len(hub.leaderboard()))},
        prompt=(prompt, hashlib.sha256(prompt.encode()).hexdigest()),
        model=(more.pop("model", "m"), more.pop("provider", "served")),
    )
    assert not more
    rows = [
        {"narrative_id": one, "status": "failed" if flag is None else "ok", "flag": flag} for one, flag in flags.items()
    ]
    hub.record(experiment, rows)
    hub.finish(experiment)
    return experiment


def told(frame, *wrong):
    """The manual flags, but for the narratives at these places; the unlabelled one is not flagged."""
    flags = [row == "1" for row in frame["manual_flag"]]
    return {
        one: flag ^ (place in wrong) for place, (one, flag) in enumerate(zip(frame["narrative_id"], flags, strict=True))
    }


# --- through a run ----------------------------------------------------------------------------------------


class Wavering:
    """Flags every third narrative; at temperature 0.5 an answer turns about each fifth time, the same in every test."""

    def __init__(self):
        self.times = Counter()

    def __call__(self, body):
        words, narrative = (message["content"] for message in body["messages"])
        self.times[words, narrative, body["temperature"]] += 1
        number = int(narrative.rstrip(".").rsplit(" ", 1)[1])
        turned = self.turns(narrative, body["temperature"], self.times[words, narrative, body["temperature"]])
        missed = words.startswith("Strictly") and number % 9 == 0
        return completion(answer((number % 3 == 0 and not missed) ^ turned))

    @staticmethod
    def turns(narrative, temperature, time):
        return temperature > 0 and hashlib.sha256(f"{narrative} {time}".encode()).digest()[0] < 51


def run(hub, path):
    jobs = experiments.prepare_file(configs.read(path))
    return [list(experiments.run(hub, job))[-1].experiment_id for job in jobs]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    """The table of a file with two prompts, two temperatures and three repeats, against a wavering endpoint."""
    folder = tmp_path_factory.mktemp("matrix")
    (folder / "plain.txt").write_text("Is there violence?")
    (folder / "strict.txt").write_text("Strictly, is there violence?")
    labelled().to_csv(folder / "people.csv", index=False)
    endpoint = ScriptedEndpoint(Wavering())
    (folder / "matrix.yml").write_text(MATRIX.format(url=endpoint.url))
    with Hub.open(folder / "hub.db") as hub:
        frame = table(hub, run(hub, str(folder / "matrix.yml")))
    endpoint.close()
    return frame


def test_a_matrix_with_repeats_is_one_table_with_a_row_a_configuration(matrix):
    assert matrix["name"].tolist() == [
        f"ipv · {name}" for name in ("plain, 0", "plain, 0.5", "strict, 0", "strict, 0.5")
    ]
    assert matrix["temperature"].tolist() == [0, 0.5, 0, 0.5]
    assert set(matrix["repeats"]) == {3}
    assert set(matrix["narratives"]) == {60}
    assert matrix["experiments"][1] == "ipv · plain, 0.5@1, ipv · plain, 0.5@2, ipv · plain, 0.5@3"
    assert matrix["prompt"].nunique() == 2


def test_the_share_of_flips_is_that_of_what_the_endpoint_turned(matrix):
    stories = [[Wavering.turns(narrative, 0.5, time) for time in (1, 2, 3)] for narrative in labelled()["narrative"]]
    share = statistics.mean(len(set(story)) == 2 for story in stories)
    assert 0.3 < share < 0.7
    assert matrix["flips"].tolist() == pytest.approx([0, share, 0, share])
    assert matrix["disagreement"].tolist() == pytest.approx([0, share * 2 / 3, 0, share * 2 / 3])
    assert (matrix["flips_low"] < matrix["flips"]).tolist() == [False, True, False, True]
    assert (matrix["f1_sd"] > 0).tolist() == [False, True, False, True]


def test_what_waver_and_prompt_make_of_f1_is_told_apart(matrix):
    assert matrix["verdict"].tolist() == ["", BEYOND, BEYOND, BEYOND]
    assert matrix["f1"][0] == 1
    assert matrix["difference"][2] == pytest.approx(2 * 13 / (2 * 13 + 7) - 1)  # 7 of 20 positives missed
    assert matrix["noise"].tolist()[2] == 0
    assert matrix["noise"].tolist()[1] > 0


def test_repeats_of_the_builtin_model_make_no_noise(hub, demo, tmp_path):
    demo.to_csv(tmp_path / "demo.csv", index=False)
    (tmp_path / "x.yml").write_text(
        "- {experiment_name: hit, prompt: 'Was V hit by a partner?', data: demo.csv, repeats: 3}\n"
        "- {experiment_name: all, prompt: 'Was V hit or shoved by a partner?', data: demo.csv, repeats: 3}\n"
    )
    frame = table(hub, run(hub, "x.yml"))
    assert frame["repeats"].tolist() == [3, 3]
    assert frame[["f1_sd", "flips", "disagreement"]].to_numpy().tolist() == [[0, 0, 0]] * 2
    assert (frame["f1_min"] == frame["f1_max"]).all()
    assert frame["noise"][1] == 0
    assert frame["verdict"][1] == (BEYOND if frame["difference"][1] else NO_DIFFERENCE)


# --- from what the hub holds ------------------------------------------------------------------------------


def test_figures_are_the_mean_range_and_spread_of_the_repeats(hub):
    frame = labelled()
    wrong = [(0, 1), (0, 3, 6), (2,)]
    numbers = [record(hub, frame, told(frame, *places), repeat=n) for n, places in enumerate(wrong, start=1)]
    (row,) = table(hub, numbers).to_dict("records")
    truth = [int(flag) for flag in frame["manual_flag"][:-1]]
    said = [[int(flag) for flag in told(frame, *places).values()][:-1] for places in wrong]
    for name, score in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        each = [score(truth, flags) for flags in said]
        assert row[name] == pytest.approx(statistics.mean(each)), name
        assert (row[f"{name}_min"], row[f"{name}_max"]) == pytest.approx((min(each), max(each))), name
    assert row["f1_sd"] == pytest.approx(statistics.stdev([f1_score(truth, flags) for flags in said]))
    assert row["flips"] == pytest.approx(5 / 60)
    assert row["verdict"] == ""
    assert np.isnan(row["difference"])


def test_one_repeat_has_the_figures_of_its_card_and_no_noise(hub):
    frame = labelled()
    numbers = [
        record(hub, frame, told(frame, 0, 1)),
        record(hub, frame, told(frame, 5), prompt="Is it now?", name="second"),
    ]
    first, second = table(hub, numbers).to_dict("records")
    board = comparisons.leaderboard(hub)
    assert [row["f1"] for row in (first, second)] == pytest.approx(board["f1"].tolist())
    compared = comparisons.compare(hub, ["first", "second"]).pairs[0].comparison
    assert [second[f"difference{end}"] for end in ("", "_low", "_high")] == pytest.approx(
        [getattr(compared.differences["f1"], part) for part in ("value", "low", "high")]
    )
    assert second["common"] == compared.n_common
    assert second["verdict"] == UNKNOWN
    assert all(np.isnan(row[name]) for row in (first, second) for name in ("f1_sd", "flips", "disagreement", "noise"))


def test_where_one_of_two_has_a_single_repeat_the_noise_is_unknown(hub):
    frame = labelled()
    numbers = [record(hub, frame, told(frame, n), repeat=n) for n in (1, 2)]
    numbers.append(record(hub, frame, told(frame), settings={"temperature": 0.7}))
    assert table(hub, numbers)["verdict"].tolist() == ["", UNKNOWN]


def test_only_what_every_repeat_answered_counts(hub):
    frame = labelled()
    numbers = [
        record(hub, frame, told(frame) | {"n0": None}, repeat=1),
        record(hub, frame, {one: flag for one, flag in told(frame, 2).items() if one != "n1"}, repeat=2),
        record(hub, frame, told(frame) | {"n4": None}, repeat=1, prompt="Is it now?"),
        record(hub, frame, told(frame, 2), repeat=2, prompt="Is it now?"),
    ]
    found = table(hub, numbers)
    assert found["narratives"].tolist() == [58, 59]
    assert found["flips"].tolist() == pytest.approx([1 / 58, 1 / 59])
    assert found["common"][1] == 56  # three not answered by all, one not labelled
    assert found["verdict"][1] == WITHIN


def test_a_small_difference_lies_within_the_noise_and_a_large_one_beyond(hub):
    frame = labelled()
    moving = [(0, 5, 8), (3, 5, 11), (6, 12)]
    little = [(0, 9, 5), (3, 14, 8), (6, 12)]
    much = [(*range(0, 36, 3), *places) for places in ((40, 41), (43, 44), (46,))]
    numbers = [
        record(hub, frame, told(frame, *places), repeat=n, prompt=prompt, name=prompt[:-1])
        for prompt, each in (("Is it?", moving), ("Is it now?", little), ("Was it?", much))
        for n, places in enumerate(each, start=1)
    ]
    assert table(hub, numbers)["verdict"].tolist() == ["", WITHIN, BEYOND]


def test_two_datasets_are_compared_on_narratives_whose_text_is_the_same(hub):
    frame = labelled()
    other = frame.assign(narrative=[f"{one} Later." if n < 10 else one for n, one in enumerate(frame["narrative"])])
    numbers = [record(hub, one, told(frame, n), repeat=n) for one in (frame, other) for n in (1, 2)]
    found = table(hub, numbers)
    assert found["narratives"].tolist() == [60, 60]
    assert found["common"][1] == 49
    assert found["name"].tolist() == ["first@1", "first@3"]  # one name, two configurations


def test_what_is_undefined_is_missing_and_says_why(hub):
    frame = labelled().assign(manual_flag="")
    numbers = [record(hub, frame, told(frame), repeat=n) for n in (1, 2)]
    numbers += [record(hub, frame, dict.fromkeys(told(frame)), repeat=n, prompt="Is it now?") for n in (1, 2)]
    first, second = table(hub, numbers).to_dict("records")
    assert np.isnan(first["f1"])
    assert first["flips"] == 0
    assert (second["narratives"], second["common"]) == (0, 0)
    assert np.isnan(second["flips"])
    assert second["verdict"] == "no narrative is both labelled and answered"


def test_settings_are_columns_where_they_differ(hub):
    frame = labelled()
    said = [{"max_tokens": 100, "seed": 1}, {"max_tokens": 200, "seed": 1, "reasoning_effort": "low"}]
    found = table(hub, [record(hub, frame, told(frame), settings=one, name=f"n{n}") for n, one in enumerate(said)])
    shown = [column for column in found if column in ("temperature", "max_tokens", "seed", "reasoning_effort")]
    assert shown == ["temperature", "max_tokens", "reasoning_effort"]
    assert "max tokens 200, reasoning effort low" in html(found)


def test_an_id_that_is_no_experiments_is_refused(hub):
    with pytest.raises(UnknownNameError, match="unknown experiment '7': there are none yet"):
        table(hub, [7])


def test_no_experiment_is_an_empty_table_with_its_columns(hub):
    found = table(hub, [])
    assert {*repeats.FIGURES, "name", "verdict"} <= set(found.columns)
    assert str(Repeats(found)) == "no experiment yet"
    assert Repeats(found).as_json() == []


# --- how it is shown --------------------------------------------------------------------------------------


def test_the_terminal_table_shows_noise_beside_differences(matrix):
    head, _, _, first, _, wavering, below, *rest = text(matrix).splitlines()
    assert head.split()[:3] == ["configuration", "model", "repeats"]
    assert first.split()[:8] == ["ipv", "·", "plain,", "0", "m", "3", "1.00", "1.00"]
    assert "beyond the noise" in wavering
    assert f"±{matrix['noise'][1]:.3f}".replace("0.", ".") in below
    assert rest[-1].startswith("difference: mean F1 minus that of the first row")
    assert str(Repeats(matrix)) == text(matrix)


def test_the_terminal_table_fits_120_columns(hub):
    frame = labelled(9)
    long = {"model": "z" * 90, "prompt": "p" * 90}
    numbers = [
        record(
            hub,
            frame,
            told(frame, n, place),
            repeat=n,
            name="x" * 90,
            settings={"base_url": "u" * 90, "n": place},
            **long,
        )
        for place in (3, 4, 5)
        for n in (1, 2, 3)
    ]
    shown = text(table(hub, numbers))
    assert max(map(len, shown.splitlines())) <= 120
    assert "within the noise" in shown


def test_the_notebooks_table_is_plain_and_what_people_named_is_text_in_it(hub):
    frame = labelled(9)
    numbers = [
        record(
            hub,
            frame,
            told(frame, n),
            repeat=n,
            name=f"x{HOSTILE}",
            model=HOSTILE,
            settings={"extra": word},
            provider=HOSTILE,
        )
        for word in (HOSTILE, "plain")
        for n in (1, 2)
    ]
    read = Page(Repeats(table(hub, numbers))._repr_html_())
    assert {tag for tag, _ in read.tags} == SANITISED
    assert {name for _, attributes in read.tags for name in attributes} <= {"style", "scope", "class"}
    head, first, second = read.rows
    assert first[head.index("configuration")] == f"x{HOSTILE}@1"
    assert first[head.index("settings")] == f"extra {HOSTILE}"
    assert second[head.index("which is")] == WITHIN
    assert second[head.index("F1")].count("–") == 1


def test_its_json_has_null_for_what_is_missing(hub):
    frame = labelled(9)
    numbers = [record(hub, frame, told(frame, n), name=f"n{n}", prompt=f"Is it {n}?") for n in (1, 2)]
    first, second = json.loads(json.dumps(Repeats(table(hub, numbers)).as_json()))
    assert (first["repeats"], first["f1_sd"], first["difference"]) == (1, None, None)
    assert second["difference"] == pytest.approx(second["f1"] - first["f1"])
    assert second["verdict"] == UNKNOWN
