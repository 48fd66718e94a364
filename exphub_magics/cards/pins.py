"""The verb `pin`: where an alias points, with every move that it has made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from exphub_magics import environment
from exphub_magics.errors import ConfigError, unknown
from exphub_magics.hub import Hub, aliases
from exphub_magics.hub.aliases import Move
from exphub_magics.markup import block, columns, table

_HEAD = ("experiment", "moved (UTC)", "by", "why")
USAGE = "write `pin partner@3 baseline`, or `pin baseline` for its history"


@dataclass(frozen=True, slots=True, repr=False)
class History:
    """An alias with its moves, the oldest first; `already` is whether a move was asked for that changes nothing."""

    alias: str
    moves: tuple[Move, ...]
    already: bool = False

    @property
    def now(self) -> Move:
        """The move that counts."""
        return self.moves[-1]

    def as_json(self) -> dict[str, Any]:
        """Where it points, and its moves, as `pin --json` prints them."""
        told = [{"experiment": move.title, **asdict(move)} for move in self.moves]
        return {"alias": self.alias, "experiment": self.now.title, "moves": told}

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return f"{self._summary()}\n\n{columns(_HEAD, map(_cells, self.moves))}"

    def _repr_html_(self) -> str:
        """The same as a plain table."""
        moves = table(_HEAD, map(_cells, self.moves), left=range(len(_HEAD)))
        return block(f"<div>{escape(self._summary())}</div>{moves}")

    def _summary(self) -> str:
        stands = f"is {self.now.title}" if self.now.title else "stands for no experiment"
        return f"{self.alias} {stands}{' already' if self.already else ''} ({self.now})"


def named(
    hub: Hub, names: Sequence[str], *, why: str | None = None, author: str | None = None, remove: bool = False
) -> History:
    """Do what the verb's words ask for: pin `(name, alias)`, take `(alias,)` back, or show its history.

    Raises:
        ConfigError: for other words, for an alias that cannot be one, and for a reason where nothing is moved.
        UnknownNameError: for an experiment or an alias that is not there.
    """
    if remove and len(names) == 1:
        return take_back(hub, names[0], why=why, author=author)
    if remove:
        raise ConfigError(f"--remove takes an alias alone: write `pin {(names or [aliases.BASELINE])[-1]} --remove`")
    if len(names) == 1 and (why or author):
        raise ConfigError(f"nothing is moved that --why or --by could be told of: {USAGE}")
    if len(names) == 1:
        return history(hub, names[0])
    if len(names) != 2:  # noqa: PLR2004 - a name and an alias
        raise ConfigError(f"{len(names)} words, where a name and an alias are asked for: {USAGE}")
    return pin(hub, *names, why=why, author=author)


def pin(hub: Hub, name: str, alias: str, *, why: str | None = None, author: str | None = None) -> History:
    """Let an alias stand for an experiment; where it does already, nothing is written.

    Args:
        hub: The hub.
        name: Wherever NAME is asked for: a name, `name@version`, an id, another alias.
        alias: A word.
        why: The reason, in one line.
        author: Who says so; else whoever git knows here.
    """
    moved = aliases.move(hub, alias, hub.find(name), author=_line(author) or environment.author(), why=_line(why))
    return _of(hub, alias, already=not moved)


def take_back(hub: Hub, alias: str, *, why: str | None = None, author: str | None = None) -> History:
    """Let an alias stand for nothing; its history stays."""
    history(hub, alias)  # an alias that was never moved has nothing to take back
    moved = aliases.move(hub, alias, None, author=_line(author) or environment.author(), why=_line(why))
    return _of(hub, alias, already=not moved)


def history(hub: Hub, alias: str) -> History:
    """Every move of an alias."""
    known = {move.alias for move in aliases.moves(hub)}
    if alias not in known:
        raise unknown("alias", alias, known)
    return _of(hub, alias)


def _of(hub: Hub, alias: str, *, already: bool = False) -> History:
    return History(alias, tuple(move for move in aliases.moves(hub) if move.alias == alias), already)


def _line(said: str | None) -> str | None:
    """What somebody wrote as one line of characters that can be shown; None for nothing."""
    shown = "".join(one if one.isprintable() else " " for one in said or "")
    return " ".join(shown.split()) or None


def _cells(move: Move) -> tuple[str, str, str, str]:
    when = move.moved_at[:19].replace("T", " ")
    return move.title or "taken back", when, move.author or "", move.why or ""
