"""A prompt: a text with roles and slots, its digest, its rendering and its difference from another."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from exphub_magics.errors import ConfigError, nearest

Role: TypeAlias = Literal["system", "user"]
Message: TypeAlias = dict[str, str]

NARRATIVE = "narrative"
ENDINGS = (".txt", ".md", ".prompt")  # of files that hold one

_ROLE_LINE = re.compile(r"^(system|user):[ \t]*$", re.MULTILINE)
_SLOT = re.compile(r"\{\{\s*(\w[\w .-]*?)\s*\}\}|<<TEXT>>")
_DOUBLE = re.compile(r"\{\{([^{}]*)\}\}")
_SINGLE = re.compile(r"(?<![{\w])\{\s*(narrative|text|narrative_text)\s*\}(?!\})", re.IGNORECASE)
_STATEMENT = re.compile(r"\{%.*?%\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Prompt:
    r"""What is asked of every narrative: one part a role, in the order written.

    >>> prompt = parse("system:\nYou read reports.\nuser:\nReport: {{ narrative }}")
    >>> [role for role, _ in prompt.parts]
    ['system', 'user']
    """

    text: str
    parts: tuple[tuple[Role, str], ...]

    @property
    def digest(self) -> str:
        """The sha256 of the text, which is the prompt's identity."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def slots(self) -> tuple[str, ...]:
        """The names between double braces, each once, in order of appearance."""
        found = (_slot_name(match) for _, body in self.parts for match in _SLOT.finditer(body))
        return tuple(dict.fromkeys(found))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed but probably not meant."""
        written = {_slot_name(match) for match in _SLOT.finditer(self.text)}
        if NARRATIVE in written and not _ROLE_LINE.search(self.text):
            twice = "the narrative is sent twice, in the system and in the user message"
            return (f"{twice}: put a line 'user:' before the text that holds {{{{ narrative }}}}",)
        return ()


def parse(text: str) -> Prompt:
    """Read a prompt: lines `system:` and `user:` open a role.

    Without such lines the whole text is the system message and the narrative the user message.

    >>> parse("Is there violence between partners?").parts
    (('system', 'Is there violence between partners?'), ('user', '{{ narrative }}'))

    Raises:
        ConfigError: for an empty prompt, one that never shows the narrative, or a malformed or misspelt slot.
    """
    text = text.replace("\r\n", "\n").strip()
    if not text:
        raise ConfigError("the prompt is empty: write what the model shall decide about a narrative")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError("the prompt holds a broken character (a lone surrogate): retype it") from error
    _refuse_malformed(text)
    prompt = Prompt(text, _parts(text))
    if NARRATIVE not in prompt.slots:
        for slot in prompt.slots:
            meant = nearest(slot, [NARRATIVE])
            if meant.startswith("did you mean"):
                raise ConfigError(f"unknown slot {{{{ {slot} }}}}: {meant}")
        raise ConfigError("the prompt never shows the narrative: put {{ narrative }} where it belongs")
    return prompt


def check_slots(prompt: Prompt, facts: Iterable[str], *, labels: Iterable[str] = ()) -> None:
    r"""Refuse a slot that no kept column fills, before any call.

    >>> check_slots(parse("user:\n{{ narrativ }}{{ narrative }}"), ["year"])
    Traceback (most recent call last):
    exphub_magics.errors.ConfigError: unknown slot {{ narrativ }}: did you mean 'narrative'?
    """
    known = {NARRATIVE, *facts}
    hidden = set(labels)
    for slot in prompt.slots:
        if slot in known:
            continue
        if slot in hidden:
            raise ConfigError(f"{{{{ {slot} }}}} is a label, and a label is never shown to a model: take it out")
        shown = {" ".join(name.split()) for name in known}  # a header may hold a line break, a message none
        raise ConfigError(f"unknown slot {{{{ {slot} }}}}: {nearest(slot, shown)}")


def render(prompt: Prompt, narrative: str, facts: Mapping[str, str] | None = None) -> tuple[Message, ...]:
    r"""Fill the slots in one pass: what a narrative holds is never read as a slot; a missing fact is blank.

    >>> render(parse("user:\nText: {{ narrative }}"), "{{ year }} <<TEXT>>")
    ({'role': 'user', 'content': 'Text: {{ year }} <<TEXT>>'},)
    """
    values = {**(facts or {}), NARRATIVE: narrative}
    return tuple(
        {"role": role, "content": _SLOT.sub(lambda match: values.get(_slot_name(match), ""), body)}
        for role, body in prompt.parts
    )


@dataclass(frozen=True, slots=True)
class Change:
    """One stretch of a prompt's difference: `same`, `removed` or `added` words."""

    kind: Literal["same", "removed", "added"]
    text: str


def diff(old: str, new: str) -> tuple[Change, ...]:
    """The difference of two texts, word by word, line breaks kept.

    >>> [(c.kind, c.text) for c in diff("stated violence only", "stated violence and threats")]
    [('same', 'stated violence '), ('removed', 'only'), ('added', 'and threats')]
    """
    before, after = _words(old), _words(new)
    changes: list[Change] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            changes.append(Change("same", "".join(before[i1:i2])))
            continue
        if i2 > i1:
            changes.append(Change("removed", "".join(before[i1:i2])))
        if j2 > j1:
            changes.append(Change("added", "".join(after[j1:j2])))
    return tuple(changes)


def _words(text: str) -> list[str]:
    return re.findall(r"\s+|[^\s]+", text)


def _slot_name(match: re.Match[str]) -> str:
    return match.group(1) or NARRATIVE


def _parts(text: str) -> tuple[tuple[Role, str], ...]:
    openings = list(_ROLE_LINE.finditer(text))
    if not openings:
        return (("system", text), ("user", "{{ narrative }}"))
    before = text[: openings[0].start()].strip()
    if before:
        raise ConfigError(f"the text before the first role line belongs to nobody: {before[:40]!r}")
    ends = [*(opening.start() for opening in openings[1:]), len(text)]
    parts: list[tuple[Role, str]] = []
    for opening, end in zip(openings, ends, strict=True):
        role: Role = "system" if opening.group(1) == "system" else "user"
        body = text[opening.end() : end].strip()
        if not body:
            raise ConfigError(f"the {role}: part of the prompt is empty")
        parts.append((role, body))
    return tuple(parts)


def _refuse_malformed(text: str) -> None:
    """Name what is meant as a slot and is none; JSON's braces are text."""
    statement = _STATEMENT.search(text)
    if statement:
        raise ConfigError(f"{statement.group()} is no slot: a prompt has slots such as {{{{ narrative }}}} only")
    single = _SINGLE.search(text)
    if single:
        raise ConfigError(f"{single.group()} is no slot: write {{{{ narrative }}}}")
    for match in _DOUBLE.finditer(text):
        inside = match.group(1).strip()
        if not inside:
            raise ConfigError("{{ }} is a slot without a name: write {{ narrative }}")
        if not _SLOT.fullmatch(match.group()) and not inside.startswith(('"', "'")):
            raise ConfigError(
                f"{match.group()} is no slot: a slot is a bare name like {{{{ narrative }}}}, no expression"
            )
    unclosed = re.search(r"\{\{\s*(\w+)\s*(?:\}(?!\})|$)", text, re.MULTILINE)
    if unclosed:
        raise ConfigError(f"a slot is not closed: write {{{{ {unclosed.group(1)} }}}}")
