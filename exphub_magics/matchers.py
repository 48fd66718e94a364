"""Tab in a notebook: the verb table's completions, where `%%experiment`, `%exphub` or `r = %exphub` is typed.

IPython calls this for terminal and notebook alike, jedi on or off. What it hands back must be what the text before the
cursor ends with, as it is typed: with anything else the kernel never answers the request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem, ShellComplete
from IPython.core.completer import SimpleCompletion, SimpleMatcherResult

from exphub_magics import cli
from exphub_magics.cli import cells, completions, options

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext
    from IPython.core.interactiveshell import InteractiveShell

WIDEST = 60  # characters beside a name
NO_BREAK = "\N{NO-BREAK SPACE}"
_CELL = re.compile(r"\s*%%experiment(?:\s+(?P<line>.*))?")
_LINE = re.compile(r"\s*(?:[^=%!?]+=\s*)?%(?P<magic>exphub|experiment)\s+(?P<line>.*)")
_PIECE = re.compile(r"""[^ \t\r\n'"\\]|\\.|'[^']*(?:'|\Z)|"(?:\\.|[^"\\])*(?:"|\\?\Z)|\\\Z""", re.DOTALL)
_WORD = re.compile(rf"(?:{_PIECE.pattern})+", re.DOTALL)
_OPTION = re.compile(r"--[\w-]+=")
_SLOT = re.compile(r"\{\{[ \t]*(?P<name>[\w .-]*)\Z")
_ROLE = re.compile(r"[a-z]*:?")


@dataclass(frozen=True, slots=True)
class Typed:
    """A line up to the cursor: its whole words, and the one that is being typed, as it stands and as it is meant."""

    words: tuple[str, ...]
    fragment: str
    incomplete: str

    @classmethod
    def of(cls, line: str) -> Typed:
        r"""Split a line as a shell does; an open quote or a last backslash belongs to the word that is being typed.

        >>> Typed.of('show "base li')
        Typed(words=('show',), fragment='"base li', incomplete='base li')
        >>> Typed.of("run x.yml ")
        Typed(words=('run', 'x.yml'), fragment='', incomplete='')
        """
        found = [match.group() for match in _WORD.finditer(line)]
        fragment = found.pop() if found and line.endswith(found[-1]) else ""
        return cls(tuple(_meant(word) for word in found), fragment, _meant(fragment))


def complete(shell: InteractiveShell, context: CompletionContext) -> SimpleMatcherResult:
    """What completes at the cursor; nothing where the cursor stands in no line or cell of ours."""
    lines = context.full_text.split("\n")
    before, after = context.text_until_cursor, context.line_with_cursor[context.cursor_position :]
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    cell = _CELL.fullmatch(before if first == context.cursor_line else lines[first])
    if cell and context.cursor_line > first:
        return _in_body(cell["line"] or "", before, after, options.frames(shell.user_ns))
    line = cell or (_LINE.fullmatch(before) if "%" in before else None)
    if line is None or line["line"] is None:
        return _result("", [])
    command = cli.cli if line.groupdict().get("magic") == "exphub" else cells.cell
    return _in_line(command, line["line"], after, options.frames(shell.user_ns))


# --- options and arguments --------------------------------------------------------------------------------


def _in_line(command: click.Command, line: str, after: str, frames: Mapping[str, Any]) -> SimpleMatcherResult:
    typed = Typed.of(line)
    option = _OPTION.match(typed.fragment)
    if not option and "=" in typed.incomplete and typed.incomplete.startswith("-"):
        return _result("", [])  # an option within quotes: its value cannot be told from its name
    fragment = typed.fragment[option.end() :] if option else typed.fragment
    session = options.Session(frames=dict(frames))
    asked = ShellComplete(command, {"obj": session}, "exphub", "_EXPHUB_COMPLETE")
    try:
        items = asked.get_completions(list(typed.words), typed.incomplete)
        if not items and not typed.incomplete:  # nothing more has to be said: what can be
            items = asked.get_completions(list(typed.words), "-")
    except click.ClickException:  # a verb that there is none of
        items = []
    return _result(fragment, [CompletionItem(_typed(item, fragment, after), help=item.help) for item in items])


def _meant(word: str) -> str:
    r"""A word without the quotes and backslashes that it is typed with.

    >>> _meant('"LM St'), _meant(r"base\ line"), _meant("it''s"), _meant("a\\")
    ('LM St', 'base line', 'its', 'a')
    """
    return _PIECE.sub(lambda piece: _bare(piece.group()), word)


def _bare(piece: str) -> str:
    mark, rest = piece[0], piece[1:]
    if mark == "'":
        return rest.removesuffix("'")
    if mark == '"':
        closed = re.fullmatch(r'((?:\\.|[^"\\])*)"', rest, re.DOTALL)
        return re.sub(r'\\(["\\])', r"\1", closed[1] if closed else rest.removesuffix("\\"))
    return rest if mark == "\\" else piece


def _typed(item: CompletionItem, fragment: str, after: str) -> str:
    """A value as it is to be typed: in the quotes that it was begun with, or in some where it needs them."""
    value, quote = str(item.value), fragment[:1]
    if quote not in ("'", '"') or (quote == "'" and "'" in value):
        if not re.search(r"""[\s'"\\]""", value):
            return value
        quote = '"'
    inner = re.sub(r'(["\\])', r"\\\1", value) if quote == '"' else value
    closed = value.endswith("/") or after.startswith(quote)  # a folder goes on; an editor has closed it itself
    return f"{quote}{inner}{'' if closed else quote}"


# --- the prompt -------------------------------------------------------------------------------------------


def _in_body(line: str, before: str, after: str, frames: Mapping[str, Any]) -> SimpleMatcherResult:
    slot = _SLOT.search(before)
    if slot:
        source, said = _dataset(line)
        items = completions.slots(source, said, frames, slot["name"])
        end = "" if re.match(r"\s*\}\}", after) else " }}"
        return _result(slot["name"], [CompletionItem(f"{item.value}{end}", help=item.help) for item in items])
    if _ROLE.fullmatch(before):
        return _result(before, completions.roles(before))
    return _result("", [])


def _dataset(line: str) -> tuple[str | None, str | None]:
    """What the cell's line says with --data and --columns."""
    words = [*Typed.of(line + " ").words]
    context = cells.cell.make_context("experiment", words, resilient_parsing=True, obj=options.Session())
    return context.params.get("data"), context.params.get("columns")


# --- the answer -------------------------------------------------------------------------------------------


def _result(fragment: str, items: Sequence[CompletionItem]) -> SimpleMatcherResult:
    shown = [SimpleCompletion(str(item.value), type=_beside(item.help)) for item in items]
    return SimpleMatcherResult(completions=shown, matched_fragment=fragment, suppress=True, ordered=True)


def _beside(text: str | None) -> str:
    """What stands beside a completion, on one line."""
    shown = " ".join((text or "exphub").split())
    cut = shown if len(shown) <= WIDEST else f"{shown[: WIDEST - 1]}…"
    return cut.replace(" ", NO_BREAK)
