"""A configuration file such as config/experiments.yml → specs, or everything that is wrong with it.

The file is a list of experiments. Every problem is reported with its line, all in one message, before any call.
"""

from __future__ import annotations

import itertools
import math
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from exphub_magics import prompts
from exphub_magics.errors import ConfigError, named, nearest
from exphub_magics.specs import BUILTIN, MOST, SAMPLE, Spec, complete, nodes, problems_by_key
from exphub_magics.specs.nodes import Problem

MAX_BYTES = 1_000_000
MAX_EXPERIMENTS = 1000  # of a file, all combinations and repeats: more is a slip of the key
_COLUMNS, _MATRIX, _REPEATS = "columns", "matrix", "repeats"
_UNREAD = prompts.parse("(unread)")  # stands for a prompt that is wrong, so that what is beside it is checked
_UNNAMED = "(unnamed)"


def _whole(text: str) -> int:
    return int(text.replace("_", ""))


def _yes(text: str) -> bool:
    return {"true": True, "false": False}[text.casefold()]


_SCALARS: Mapping[str, Callable[[str], Any]] = {
    "experiment_name": str,
    "author": str,
    "prompt_file": str,
    "prompt": str,
    "model_name": str,
    "provider": str,
    "data": str,
    "base_url": str,
    "api_key_env": str,
    "notes": str,
    "reasoning_effort": str,
    "temperature": float,
    "max_tokens": _whole,
    "seed": _whole,
    "sample": _whole,
    "stratified": _yes,
    "repeats": _whole,
    "concurrency": _whole,
    "max_cost": float,
}
_KINDS: Mapping[Callable[[str], Any], str] = {
    str: "text",
    float: "a number",
    _whole: "a whole number",
    _yes: "true or false",
}
KEYS = (*_SCALARS, _COLUMNS, _MATRIX)
_VARIED = ("model_name", "provider", "prompt_file", "temperature", "reasoning_effort", "max_tokens")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a file says: its specs, and every problem that it alone can tell.

    An experiment with a problem has a spec too, of what is good in it, so that its dataset can be checked:
    call `refuse` before anything is run.
    """

    path: str
    specs: tuple[Spec, ...]
    lines: tuple[int, ...]
    problems: tuple[Problem, ...]

    def refuse(self, *more: Problem) -> None:
        """Raise one error that holds every problem, in the order of the lines."""
        nodes.refuse(self.path, (*self.problems, *more))


def read(path: str, *, data: str | None = None) -> Configuration:
    """Read a configuration file; `data` serves the entries that name none.

    Raises:
        ConfigError: when the file itself cannot be read as a list of experiments.
    """
    if not Path(path).is_file():
        near = sorted(named(str(other)) for ending in ("*.yml", "*.yaml") for other in Path(path).parent.glob(ending))
        raise ConfigError(f"configuration {named(path)!r} does not exist: {nearest(named(path), near)}")
    if Path(path).suffix in prompts.ENDINGS:
        raise ConfigError(
            f"{named(path)} holds a prompt, no list of experiments: "
            f"exphub experiment {shlex.quote(Path(path).stem)} --data FILE --prompt-file {shlex.quote(named(path))}"
        )
    root = nodes.compose(path, what="a list of experiments", most_bytes=MAX_BYTES)
    if not isinstance(root, yaml.SequenceNode):
        raise ConfigError(f"{named(path)} is no list of experiments: begin each with '- experiment_name: …'")
    reader = _Reader(Path(path).parent, data)
    specs = [(node.start_mark.line + 1, spec) for node in root.value for spec in reader.entry(node)]
    if not root.value:
        reader.notes.add(root, "the list is empty: begin an experiment with '- experiment_name: …'")
    return Configuration(
        path, tuple(spec for _, spec in specs), tuple(line for line, _ in specs), tuple(reader.notes.problems)
    )


def read_text(path: str, *, folder: Path, what: str) -> str:
    """The text of a file that a configuration names: relative to the working directory, then to `folder`.

    Raises:
        ConfigError: for a missing, huge, irregular or undecodable file, or one outside both folders.
    """
    here = Path.cwd()
    candidates = [here / path, here / folder / path]
    file = next((candidate for candidate in candidates if _is_there(candidate)), None)
    if file is None:
        folders = {candidate.parent for candidate in candidates if _is_there(candidate.parent)}
        near = sorted({other.name for one in folders for other in one.glob("*") if other.is_file()})
        raise ConfigError(f"{what} {named(path)!r} does not exist: {nearest(Path(path).name, near)}")
    if not file.is_file():
        raise ConfigError(f"{what} {named(path)!r} is no regular file")
    allowed = [here.resolve(), (here / folder).resolve()]
    if not any(file.resolve().is_relative_to(root) for root in allowed):
        raise ConfigError(f"{what} {named(path)!r} lies outside the working directory: copy it in")
    if file.stat().st_size > MAX_BYTES:
        raise ConfigError(f"{what} {named(path)!r} is larger than {MAX_BYTES:,} bytes: is it the right file?")
    try:
        return file.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise ConfigError(f"{what} {named(path)!r} cannot be read: {reason}") from error


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long for any file, a folder that may not be looked into
        return False


class _Reader:
    """Walks the nodes of one file and collects what is wrong."""

    def __init__(self, folder: Path, data: str | None) -> None:
        self.folder, self.data = folder, data
        self.notes = nodes.Notes()
        self.experiments = 0  # that the entries read so far come to

    def entry(self, node: yaml.Node) -> Iterator[Spec]:
        """The specs of one entry of the list: one, or one a combination and repeat."""
        if not isinstance(node, yaml.MappingNode):
            self.notes.add(node, "an experiment is a list of keys and values, beginning with experiment_name")
            return
        values = {key: self.value(key, value) for key, value in self.notes.mapping(node, KEYS).items()}
        self.require(node, values)
        lines = _key_nodes(node)
        matrix = values.pop(_MATRIX, {})
        good = {key: value for key, value in values.items() if value is not None}
        if self.too_many(matrix, good.get(_REPEATS, 1), lines.get(_MATRIX, lines.get(_REPEATS, node))):
            # One of them is enough to say what else is wrong with the entry.
            matrix, good = {key: values[:1] for key, values in matrix.items()}, good | {_REPEATS: 1}
        for label, combination in _combinations(matrix):
            yield from self.specs(node, lines, good, label, combination)

    def value(self, key: str, node: yaml.Node) -> Any:
        """A key's value in the type that the key has, whatever YAML would make of it."""
        if key == _MATRIX:
            return self.matrix(node)
        if key == _COLUMNS and isinstance(node, yaml.MappingNode):
            said = {name: self.scalar(key, inner) for name, inner in self.notes.mapping(node, (), "column").items()}
            return None if None in said.values() else said
        value = self.scalar(key, node)
        return self.data_path(value) if key == "data" and value else value

    def data_path(self, data: str) -> str:
        """The dataset from the working directory, else from the file's own folder; `sample` is no path."""
        beside = self.folder / data
        found = data == SAMPLE or (_is_there(Path(data)) and Path(data).is_file())
        return str(beside) if not found and _is_there(beside) and beside.is_file() else data

    def scalar(self, key: str, node: yaml.Node) -> Any:
        convert = _SCALARS.get(key, str)
        return self.notes.scalar(key, node, convert, _KINDS[convert])

    def matrix(self, node: yaml.Node) -> dict[str, list[Any]]:
        if not isinstance(node, yaml.MappingNode):
            self.notes.add(node, "matrix holds keys with a list of values each, such as temperature: [0, 0.5]")
            return {}
        varied: dict[str, list[Any]] = {}
        for key, values in self.notes.mapping(node, _VARIED, "matrix key").items():
            if not isinstance(values, yaml.SequenceNode) or not values.value:
                self.notes.add(values, f"matrix: {key} is a list of values, such as [a, b]")
                continue
            varied[key] = self.different(key, values)
        return {key: values for key, values in varied.items() if values}

    def different(self, key: str, node: yaml.SequenceNode) -> list[Any]:
        """The values of a list that can be read, each once."""
        found: list[Any] = []
        for inner in node.value:
            value = self.scalar(key, inner)
            if value in found:
                self.notes.add(inner, f"matrix: {key} lists {inner.value} twice")
            elif value is not None:
                found.append(value)
        return found

    def too_many(self, matrix: Mapping[str, Sequence[Any]], repeats: int, where: yaml.Node) -> bool:
        """Whether an entry makes the file larger than any that is meant, which is noted once."""
        repeats = repeats if 1 <= repeats <= MOST else 1  # any other number is a problem of its own
        before = self.experiments
        self.experiments += math.prod(map(len, matrix.values())) * repeats
        if before <= MAX_EXPERIMENTS < self.experiments:
            more = f"{self.experiments:,} experiments, every combination and repeat counted"
            self.notes.add(where, f"the file comes to {more}, and may hold {MAX_EXPERIMENTS:,}: list fewer values")
        return self.experiments > MAX_EXPERIMENTS

    def require(self, node: yaml.Node, values: Mapping[str, Any]) -> None:
        if "experiment_name" not in values:
            self.notes.add(node, "an experiment without a name: add experiment_name")
        varied = values.get(_MATRIX) or {}
        if ("prompt" in values) + ("prompt_file" in values or "prompt_file" in varied) != 1:
            self.notes.add(node, "an experiment has either prompt_file or prompt")
        provider = values.get("provider", BUILTIN if "provider" not in varied else "")
        named = "model_name" in values or "model_name" in varied
        if provider is not None and provider.casefold() != BUILTIN and not named:
            self.notes.add(node, f"provider {provider!r} needs a model_name")
        if "data" not in values and self.data is None:
            self.notes.add(node, "no dataset is named: add 'data: FILE' to the experiment, or run with --data FILE")

    def specs(
        self,
        node: yaml.Node,
        lines: Mapping[str, yaml.Node],
        good: Mapping[str, Any],
        label: str,
        combination: Mapping[str, Any],
    ) -> Iterator[Spec]:
        said = {"data": self.data, **good, **combination}
        name, repeats = said.pop("experiment_name", _UNNAMED), said.pop(_REPEATS, 1)
        if label:
            name += f" · {label}"
        prompt = self.prompt(lines, said) or _UNREAD
        if "provider" in lines and "provider" not in said:
            said["provider"] = "OpenAI"  # the provider is noted: no other value is to be judged by the default one
        spec = Spec(name=name, prompt=prompt, repeat=repeats, **said)
        found = problems_by_key(spec)
        for key, text in found:
            self.notes.add(lines.get(key, node), text)
        if spec.data is None or (_COLUMNS in lines and _COLUMNS not in said):
            return  # noted, and without them the dataset cannot be read
        if found:
            yield replace(spec, repeat=1)
            return
        spec = complete(spec)
        yield from (replace(spec, repeat=repeat) for repeat in range(1, repeats + 1))

    def prompt(self, lines: Mapping[str, yaml.Node], said: dict[str, Any]) -> prompts.Prompt | None:
        file, text = said.pop("prompt_file", None), said.pop("prompt", None)
        if file is None and text is None:
            return None
        try:
            if file is not None:
                text = read_text(file, folder=self.folder, what="prompt_file")
            return prompts.parse(text)
        except ConfigError as error:
            said_whole = file is None or repr(named(file)) in str(error)
            text = str(error) if said_whole else f"{named(file)}: {error}"
            self.notes.add(lines["prompt" if file is None else "prompt_file"], text)
            return None


def _key_nodes(entry: yaml.MappingNode) -> dict[str, yaml.Node]:
    """Where each key of an entry stands, those of its matrix included."""
    found: dict[str, yaml.Node] = {}
    for key, value in entry.value:
        if key.value == _MATRIX and isinstance(value, yaml.MappingNode):
            found |= {str(varied.value): varied for varied, _ in value.value}
        found[str(key.value)] = key
    return found


def _combinations(matrix: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every combination of a matrix's values, with what it is called; of no matrix the one that varies nothing."""
    named = [zip(_labels(values), values, strict=True) for values in matrix.values()]
    for chosen in itertools.product(*named):
        yield ", ".join(label for label, _ in chosen), dict(zip(matrix, (value for _, value in chosen), strict=True))


def _labels(values: Sequence[Any]) -> list[str]:
    """What a matrix's values are called: of a path, as many of its last parts as tell it from the others.

    >>> _labels([0.0, 0.5]), _labels(["prompts/strict.txt", "prompts/v2/plain.txt"]), _labels(["meta/llama-3", "gpt-4"])
    (['0', '0.5'], ['strict', 'plain'], ['llama-3', 'gpt-4'])
    >>> _labels(["a/strict.txt", "b/strict.txt"]), _labels(["strict.txt", "strict.md"])
    (['a/strict', 'b/strict'], ['strict.txt', 'strict.md'])
    """
    texts = [str(value).removesuffix(".0") if isinstance(value, float) else str(value) for value in values]
    # An '@' in a name would be read as a version.
    paths = [[part for part in re.split(r"[\\/]", text.replace("@", "-")) if part not in ("", ".")] for text in texts]
    for depth in range(1, max(map(len, paths), default=0) + 1):
        for ending in (r"(?<=.)\.(txt|md|prompt|gguf)$", r"$"):
            shown = [re.sub(ending, "", "/".join(path[-depth:])) for path in paths]
            if len(set(shown)) == len(shown):
                return shown
    return [f"{text.replace('@', '-')} ({number})" for number, text in enumerate(texts, start=1)]
