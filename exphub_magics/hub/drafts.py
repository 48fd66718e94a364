"""Prompts that are being written: the latest state of each, so that a restart or a closed tab loses nothing."""

from __future__ import annotations

from dataclasses import dataclass

from exphub_magics.hub.storage import Storage, now

PATIENCE = 2.0  # seconds that a lock is waited for: somebody is typing


@dataclass(frozen=True, slots=True)
class Draft:
    """A prompt as it was last written, and when, in UTC."""

    text: str
    written_at: str


def find(storage: Storage, name: str) -> Draft | None:
    """The draft of a name; None where there is none."""
    rows = storage.read("draft_of", name=name)
    return Draft(rows[0]["prompt_text"], rows[0]["written_at"]) if rows else None


def keep(storage: Storage, name: str, text: str) -> Draft:
    """Keep what is being written, in the place of what was kept before.

    Raises:
        LockedError: where another program keeps the hub locked; what was kept before stays.
    """
    draft = Draft(text, now())
    row = {"name": name, "prompt_text": text, "written_at": draft.written_at}
    with storage.writing(patience=PATIENCE) as db:
        db.table("drafts").insert(row, pk="name", replace=True)
    return draft


def write(storage: Storage, name: str, text: str | None, *, over: str | None) -> bool:
    """Keep what is being written in the place of `over`, or with None for a text forget the draft.

    Args:
        storage: The hub.
        name: What the draft is of.
        text: The prompt as it is now.
        over: The text that whoever writes has last seen as the draft; None where there was none.

    Returns:
        Whether there was another text, which somebody else has written meanwhile: it is put aside, under `aside(name)`.

    Raises:
        LockedError: where another program keeps the hub locked; what was kept before stays.
    """
    if text is None and find(storage, name) is None:
        return False
    with storage.writing(patience=PATIENCE) as db:
        held = find(storage, name)
        met = held is not None and held.text not in (over, text)
        if held is not None and met:
            row = {"name": aside(name), "prompt_text": held.text, "written_at": held.written_at}
            db.table("drafts").insert(row, pk="name", replace=True)
        if text is not None:
            row = {"name": name, "prompt_text": text, "written_at": now()}
            db.table("drafts").insert(row, pk="name", replace=True)
        elif held is not None:
            db.table("drafts").delete(name)
    return met


def aside(name: str) -> str:
    """The name of what somebody else wrote while a draft was written on.

    >>> aside("partner@2")
    'partner@2 · other'
    """
    return f"{name} · other"


def drop(storage: Storage, name: str) -> None:
    """Forget the draft of a name, if there is one."""
    if find(storage, name) is None:
        return
    with storage.writing(patience=PATIENCE) as db:
        db.table("drafts").delete(name)
