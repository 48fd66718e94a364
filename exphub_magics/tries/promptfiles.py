"""Prompts in files and cells: kept under a name that no other text has."""

from __future__ import annotations

import itertools
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from exphub_magics.errors import ConfigError
from exphub_magics.specs import BUILTIN, Spec

FOLDER = "prompts"
_STEM = re.compile(r"\w[\w .-]*")
_NUMBER = re.compile(r"-\d+\Z")


class TakenError(ConfigError):
    """A file of the name has another text; `free` is a name that no file has."""

    def __init__(self, shown: str, free: str) -> None:
        super().__init__(f"{shown} is there with another text, and nothing is written over: take {free}, which is free")
        self.free = free


@dataclass(frozen=True, slots=True)
class Saved:
    """Where a prompt is; `already` is whether it was there before."""

    file: str
    already: bool

    def __str__(self) -> str:
        return f"{self.file} holds this prompt already" if self.already else f"saved as {self.file}"


def save(text: str, name: str, *, folder: Path | None = None) -> Saved:
    """Keep a prompt as prompts/NAME.txt under a folder, the working directory by default.

    Raises:
        TakenError: where the file has another text, with a free name.
        ConfigError: for a name that cannot be one, or a folder that cannot be written.
    """
    place = (folder or Path()) / FOLDER
    stem = _stem(name)
    shown = f"{FOLDER}/{stem}.txt"
    try:
        place.mkdir(exist_ok=True)
        with (place / f"{stem}.txt").open("x", encoding="utf-8", newline="\n") as file:
            file.write(_plain(text))
    except FileExistsError:
        if not place.is_dir():
            raise ConfigError(f"{FOLDER} is a file here and no folder: rename it, or copy the text") from None
        if _held(place / f"{stem}.txt") == _plain(text):
            return Saved(shown, already=True)
        raise TakenError(shown, _free(place, stem)) from None
    except OSError as error:
        raise ConfigError(f"{shown} cannot be written: {error.strerror}; name another, or copy the text") from error
    return Saved(shown, already=False)


def _stem(name: str) -> str:
    stem = name.strip().removesuffix(".txt").strip()
    if not _STEM.fullmatch(stem):
        raise ConfigError(f"{name!r} is no name for a file: write letters, digits, blanks, dots, - and _, no folder")
    return stem


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip() + "\n"


def _held(file: Path) -> str | None:
    try:
        return _plain(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError):
        return None


def _free(place: Path, stem: str) -> str:
    """The first name with a number that no file has.

    >>> _free(Path("no such folder"), "baseline"), _free(Path("no such folder"), "baseline-7")
    ('baseline-2', 'baseline-2')
    """
    base = _NUMBER.sub("", stem)
    names = (f"{base}-{number}" for number in itertools.count(2))
    return next(name for name in names if not (place / f"{name}.txt").exists())


def cell(name: str, spec: Spec, data: str) -> str:
    """The cell that runs a prompt as an experiment of this name.

    >>> from exphub_magics import prompts
    >>> print(cell("first", Spec("x", prompts.parse("Violence?"), sample=50, stratified=True), "my rows.csv"))
    %%experiment first --data 'my rows.csv' --sample 50 --stratified
    Violence?
    """
    named = spec.provider != BUILTIN
    said = {
        "--model": spec.model_name if named else None,
        "--provider": spec.provider if named else None,
        "--base-url": spec.base_url,
        "--api-key-env": spec.api_key_env,
        "--temperature": spec.temperature,
        "--reasoning-effort": spec.reasoning_effort,
        "--max-tokens": spec.max_tokens,
        "--seed": spec.seed,
        "--sample": spec.sample,
        "--max-cost": spec.max_cost,
    }
    options = [f"{option} {shlex.quote(str(value))}" for option, value in said.items() if value is not None]
    drawn = ["--stratified"] if spec.stratified else []
    line = ["%%experiment", shlex.quote(name), "--data", shlex.quote(data), *options, *drawn]
    return f"{' '.join(line)}\n{spec.prompt.text}"
