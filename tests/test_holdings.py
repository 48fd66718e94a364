import pytest

from exphub_magics import datasets, experiments, prompts
from exphub_magics.errors import DatasetError
from exphub_magics.hub import Hub
from exphub_magics.specs import Spec
from exphub_magics.tries import holdings


def register(hub, source):
    read = datasets.read(source)
    number, warnings = experiments.register_dataset(hub, read)
    assert warnings == []
    return number, read


@pytest.mark.parametrize("kind", ["frame", "sample"])
def test_a_dataset_out_of_the_hub_is_the_one_that_went_in(hub, demo, kind):
    number, read = register(hub, demo if kind == "frame" else "sample")
    held = holdings.dataset(hub, number)
    assert held.narratives == read.narratives
    assert (held.name, held.sha256, held.labels, held.incident_labels, held.profile, held.restricted) == (
        read.name,
        read.sha256,
        read.labels,
        read.incident_labels,
        read.profile,
        read.restricted,
    )
    assert experiments.draw(held, 5, 3, stratified=True) == experiments.draw(read, 5, 3, stratified=True)


def test_registering_it_again_changes_nothing(hub, demo):
    number, _ = register(hub, demo)
    assert experiments.register_dataset(hub, holdings.dataset(hub, number)) == (number, [])


def test_a_corrected_flag_is_the_one_that_counts(hub, demo):
    number, _ = register(hub, demo)
    demo.loc[demo["narrative_id"] == "2-CME", "manual_flag"] = "1"
    experiments.register_dataset(hub, datasets.read(demo))
    assert holdings.dataset(hub, number).labels["2-CME"] is True


def test_an_experiment_runs_without_its_file_and_is_the_same_experiment(hub, demo):
    spec = Spec("first", prompts.parse("Was V hit by a partner?"), data=demo)
    *_, first = experiments.run(hub, spec)
    number = hub.experiment(first.experiment_id)["dataset_id"]
    *_, again = experiments.run(hub, experiments.Job(spec, holdings.dataset(hub, number)))
    assert again.experiment_id == first.experiment_id
    assert again.asked == 0


def test_a_dataset_that_an_earlier_version_kept_less_of_asks_for_its_file():
    with Hub.open(":memory:") as hub:
        number = hub.register_dataset(name="rows.csv", sha256="d", columns={}, profile={}, narratives=[])
        with pytest.raises(DatasetError, match="name its file with --data"):
            holdings.dataset(hub, number)


def test_data_out_of_the_hub_take_no_corrected_flag_back(hub, demo):
    run = experiments.run
    first = Spec("first", prompts.parse("Hit?"), data=demo)
    *_, _last = run(hub, first)
    taken = holdings.dataset(hub, 1)
    corrected = demo.assign(manual_flag=["0" if flag == "1" else flag for flag in demo["manual_flag"]])
    *_, _last = run(hub, Spec("first", prompts.parse("Hit?"), data=corrected))
    *_, _last = run(hub, experiments.Job(Spec("second", prompts.parse("Shoved?"), data=demo), taken))
    assert {row["manual_flag"] for row in hub.verdicts(2)} == {0, None}
