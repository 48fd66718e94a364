"""A YAML file as nodes with their lines, so that a name such as `no` or `012` stays what was written.

Nothing is resolved, and nothing that makes a small file large is taken. What is wrong is collected, so that all of it
is said at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from exphub_magics.errors import ConfigError, named, nearest

MAX_DEPTH = 8  # of lists and mappings within each other


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with a file, and the line it stands on."""

    line: int
    text: str


def compose(path: str, *, what: str, most_bytes: int) -> yaml.Node | None:
    """The nodes of a YAML file, None where it holds nothing; `what` is how errors call what it should be.

    Raises:
        ConfigError: for a file that is huge, nested, aliased, undecodable or no YAML.
    """
    file, shown = Path(path), named(path)
    try:
        if file.stat().st_size > most_bytes:
            raise ConfigError(f"{shown} is larger than {most_bytes:,} bytes: is it {what}?")
        text = file.read_text(encoding="utf-8-sig")
        _refuse_bombs(text, shown, what)
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{shown} is not UTF-8 text: save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{shown} cannot be read: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{shown}, line {line}: this is no YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{shown} is no YAML: {str(error).splitlines()[0]}") from error


def _refuse_bombs(text: str, shown: str, what: str) -> None:
    """Aliases and deep nesting make a small file large, and nothing here needs them."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(f"{shown} uses an alias (*{event.anchor}): write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ConfigError(f"{shown} is nested too deeply to be {what}")


def refuse(path: str, problems: Iterable[Problem]) -> None:
    """Raise one error that holds every problem, in the order of the lines; none where there is no problem.

    >>> refuse("prices.yml", [Problem(3, "no model"), Problem(2, "no date")])
    Traceback (most recent call last):
    exphub_magics.errors.ConfigError: 2 problems in prices.yml; nothing was run:
      line 2: no date
      line 3: no model
    """
    found, shown = sorted(set(problems)), named(path)
    if len(found) == 1:
        raise ConfigError(f"{shown}, line {found[0].line}: {found[0].text}")
    if found:
        listed = "\n".join(f"  line {problem.line}: {problem.text}" for problem in found)
        raise ConfigError(f"{len(found)} problems in {shown}; nothing was run:\n{listed}")


@dataclass(slots=True)
class Notes:
    """What is found wrong while the nodes of a file are walked."""

    problems: list[Problem] = field(default_factory=list)

    def add(self, node: yaml.Node, text: str) -> None:
        """Note a problem with the line of a node."""
        self.problems.append(Problem(node.start_mark.line + 1, text))

    def mapping(self, node: yaml.MappingNode, known: Collection[str], what: str = "key") -> dict[str, yaml.Node]:
        """Key → node, with repeated keys noted, and unknown ones where any are known."""
        nodes: dict[str, yaml.Node] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if known and key not in known:
                self.add(key_node, f"unknown {what} {key!r}: {nearest(key, known)}")
            elif key in nodes:
                self.add(key_node, f"{what} {key!r} stands here twice")
            else:
                nodes[key] = value_node
        return nodes

    def scalar(self, key: str, node: yaml.Node, convert: Callable[[str], Any], kind: str) -> Any:
        """A value in the type that its key has, whatever YAML would make of it; None where that is noted as wrong."""
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            self.add(node, f"{key} is {kind}, written behind the colon")
            return None
        try:
            return convert(node.value)
        except (ValueError, KeyError):
            self.add(node, f"{key} is {kind}, not {node.value!r}")
            return None
