"""Prompts that are being written: the latest state of each, and what was put aside, so that nothing written is lost.

A draft has a name. What another text is put in the place of is kept beside it, under the draft's name and the text's
digest: no text that was put aside is ever written over by another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from exphub_magics.hub.storage import Storage, now

PATIENCE = 2.0  # seconds that a lock is waited for: somebody is typing
_KEPT = " · kept "  # between a draft's name and the digest of a text that was put aside


@dataclass(frozen=True, slots=True)
class Draft:
    """A prompt as it was last written, and when, in UTC; `name` is its own, and `of` what it was written over."""

    text: str
    written_at: str
    name: str

    @property
    def of(self) -> str:
        """The name of the draft that it was, or was put aside from.

        >>> Draft("Was V hit?", "2026-11-01T12:00:00.000+00:00", "partner@2 · kept 0123abcd").of
        'partner@2'
        """
        return self.name.partition(_KEPT)[0]

    @property
    def digest(self) -> str:
        """What tells the text from another one that has come in its place."""
        return _digest(self.text)


def find(storage: Storage, name: str) -> Draft | None:
    """The draft of a name; None where there is none."""
    rows = storage.read("draft_of", name=name)
    return Draft(rows[0]["prompt_text"], rows[0]["written_at"], name) if rows else None


def kept(storage: Storage, names: Iterable[str], *, most: int = 50) -> list[Draft]:
    """The drafts of some names and all that was put aside from them, the latest first."""
    rows = storage.read("drafts_kept", names=json.dumps([*names]), kept=_KEPT, most=most)
    return [Draft(row["prompt_text"], row["written_at"], row["name"]) for row in rows]


def write(storage: Storage, name: str, text: str | None, *, over: str | None, aside: str | None = None) -> bool:
    """Keep what is being written in the place of `over`, or with None for a text end the draft.

    Args:
        storage: The hub.
        name: What the draft is of.
        text: The prompt as it is now.
        over: The text that whoever writes has last seen as the draft; None where there was none.
        aside: A text that this one is put in the place of, to be kept beside it.

    Returns:
        Whether there was another text, which somebody else has written meanwhile: it is put aside too.

    Raises:
        LockedError: where another program keeps the hub locked; all is as it was.
    """
    if text is None and aside is None and find(storage, name) is None:
        return False
    with storage.writing(patience=PATIENCE) as db:
        table, held = db.table("drafts"), find(storage, name)
        met = held is not None and held.text not in (over, text)
        put = [one for one in (held.text if held and met else None, aside) if one is not None]
        rows = [{"name": _beside(name, one), "prompt_text": one, "written_at": now()} for one in put]
        if text is not None:
            rows.append({"name": name, "prompt_text": text, "written_at": now()})
        elif held is not None:
            table.delete(name)
        table.insert_all(rows, pk="name", replace=True)
    return met


def _beside(name: str, text: str) -> str:
    return f"{name}{_KEPT}{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
