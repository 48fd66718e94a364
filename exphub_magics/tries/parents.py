"""What a prompt that is tried is held against: an experiment of the hub, or a prompt in a file, and the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exphub_magics import datasets, prompts, rereading, specs
from exphub_magics.cards import listings
from exphub_magics.hub import Hub
from exphub_magics.hub import holdings as held
from exphub_magics.specs import SAMPLE, Spec, configs, families
from exphub_magics.tries import holdings

if TYPE_CHECKING:
    import pandas as pd

FOLDER, BEGINNING, UNNAMED = "prompts", "baseline", "example"
EXAMPLE = "Is there evidence that the decedent was physically abused or threatened by a current or former partner?"


@dataclass(frozen=True, slots=True)
class Parent:
    """What tries are held against: a prompt with whoever answers it, and the data; `experiment` where it was run."""

    title: str
    spec: Spec
    dataset: datasets.Dataset
    experiment: int | None = None

    @property
    def name(self) -> str:
        """The name that its tries are versions of."""
        return f"{self.family}{families.TRY}"

    @property
    def family(self) -> str:
        """The name that the parent and its tries have in common."""
        return families.family(self.spec.name, trial=self.spec.trial)

    def __str__(self) -> str:
        profile = self.dataset.profile
        over = f"{self.dataset.name}, {profile.narratives:,} narratives of {profile.incidents:,} incidents"
        return f"{self.title} · {model(self.spec)} · {over}"


def model(spec: Spec) -> str:
    """Who answers a spec's questions.

    >>> model(Spec("first", prompts.parse("Violence?")))
    'builtin rules-1'
    """
    return listings.model({"provider": spec.provider, "model_name": spec.model})


# --- which one is meant -------------------------------------------------------------------------------------------


def parent(
    hub: Hub,
    name: str | None = None,
    *,
    data: str | Path | pd.DataFrame | None = None,
    columns: str | Mapping[str, str] | None = None,
    data_name: str | None = None,
    **said: Any,
) -> Parent:
    """What tries are held against: an experiment, else a prompt file, else the latest experiment, else an example.

    >>> with Hub.open(":memory:") as hub:
    ...     parent(hub, data="sample").spec.model
    'rules-1'

    The data are the experiment's, which the hub holds, unless others are named. A file's prompt is taken for asked of
    the model that is `said`.

    Raises:
        UnknownNameError: when NAME is neither an experiment nor a file in prompts/.
    """
    number = _experiment(hub, name)
    read = None if data is None else datasets.read(data, columns=columns, name=data_name)
    if number is not None:
        record = hub.experiment(number)
        spec = rereading.spec_of(record)
        return Parent(_title(hub, number), spec, read or holdings.dataset(hub, record["dataset_id"]), number)
    title, called, prompt = _text(name)
    spec = replace(specs.complete(Spec(called, prompt, **said)), sample=None)
    return Parent(title, spec, read or _data(hub))


def names(hub: Hub, parent: Parent) -> list[str]:
    """The names of a parent's drafts: its title, those of its family's experiments, and what earlier versions wrote."""
    family = [listings.title(row) for row in hub.names() if families.family(row["name"], trial=True) == parent.family]
    earlier = families.tries(parent.family)[1]
    return list(dict.fromkeys([parent.title, *family, earlier, f"{earlier} · before"]))


def _experiment(hub: Hub, name: str | None) -> int | None:
    """The experiment that is meant; None where a file is, or where there is none."""
    rows = hub.names()
    if name is None:
        own = {row["id"] for row in rows} - held.trials(hub)
        return max(own, default=None)
    # A file comes before a name that only begins so: the tries of a file's prompt do.
    named = any(name in (row["name"], listings.title(row)) for row in rows)
    return hub.find(name) if named or (name != UNNAMED and _file(name) is None) else None


def _title(hub: Hub, number: int) -> str:
    return next(listings.title(row) for row in hub.names() if row["id"] == number)


def _file(name: str) -> str | None:
    """The prompt file that a name means, if there is one."""
    for path in (f"{FOLDER}/{name}.txt", f"{FOLDER}/{name}", name):
        if Path(path).suffix in prompts.ENDINGS and Path(path).is_file():
            return path
    return None


def _text(name: str | None) -> tuple[str, str, prompts.Prompt]:
    """A parent that was never run: how it is shown, what it is called, its prompt."""
    file = _file(name or BEGINNING)
    if file is None:
        return "an example", UNNAMED, prompts.parse(EXAMPLE)
    text = configs.read_text(file, folder=Path(), what="the prompt file")
    return file, Path(file).stem.replace("@", "-"), prompts.parse(text)


def _data(hub: Hub) -> datasets.Dataset:
    """The data of the latest experiment, else the sample."""
    rows = hub.names()
    return holdings.dataset(hub, hub.experiment(rows[-1]["id"])["dataset_id"]) if rows else datasets.read(SAMPLE)
