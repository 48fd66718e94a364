"""What may be reviewed: an experiment's answers, how the prompts vote, one narrative with what is said of it."""

from __future__ import annotations

from exphub_magics.hub.storage import Row, Storage


def answers(storage: Storage, experiment: int) -> list[Row]:
    """Each narrative of an experiment that can be evaluated: incident, source, flag, confidence; no text."""
    return storage.read("answers_to_review", experiment=experiment)


def votes(storage: Storage, dataset: int) -> dict[str, tuple[int, int]]:
    """How many prompts answered each narrative, and how many said yes; of each experiment its latest version."""
    return {row["narrative_id"]: (row["answered"], row["yes"]) for row in storage.read("votes", dataset=dataset)}


def narrative(storage: Storage, experiment: int, narrative_id: str) -> Row:
    """One narrative of an experiment with its text, status, flag, confidence and rational."""
    return storage.read("to_review", experiment=experiment, narrative=narrative_id)[0]
