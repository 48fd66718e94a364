"""What the README generates between its markers: `make readme` writes it, tests/test_architecture.py checks it."""

from __future__ import annotations

import re
import tempfile
import textwrap
import tomllib
from pathlib import Path

from exphub_magics import cards, cli, comparisons, experiments, prompts, specs
from exphub_magics.hub import Hub

ROOT = Path(__file__).parent.parent


def tables() -> str:
    """The hub's tables with what each holds, and its views."""
    sql = ROOT / "exphub_magics" / "sql"
    written = "\n".join((sql / f"{name}.sql").read_text() for name in ("schema", "views", "second", "third"))
    tables = re.findall(r"CREATE TABLE (\w+) \(  -- (.+)", written)
    views = dict(re.findall(r"CREATE VIEW (\w+) AS  -- (.+)", written))
    lines = ["| table | what it holds |", "|---|---|", *(f"| `{name}` | {said} |" for name, said in tables)]
    return "\n".join([*lines, "", f"Views over them: {', '.join(f'`{name}`' for name in views)}."])


def verbs() -> str:
    """The verbs with their arguments and the first sentence of their help."""
    lines = ["| verb | what it does |", "|---|---|"]
    for name, command in cli.cli.commands.items():
        arguments = " ".join(
            parameter.make_metavar(None) for parameter in command.params if parameter.param_type_name == "argument"
        )
        said = (command.help or "").split("\n\n")[0].replace("\n", " ")
        arguments = arguments.replace("|", "\\|")  # else the table takes it for the end of a cell
        lines.append(f"| `{name} {arguments}`".rstrip("` ") + f"` | {said} |")
    return "\n".join(lines)


def layers() -> str:
    """Who may import whom: each only what stands to its right."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return "```\n" + textwrap.fill("  →  ".join(contracts[0]["layers"]), 120, break_on_hyphens=False) + "\n```"


def _cell(hub: Hub, name: str, prompt: str) -> cards.Scorecard:
    spec = specs.complete(specs.Spec(name=name, prompt=prompts.parse(prompt), data="sample"))
    *_, last = experiments.run(hub, spec)
    return cards.scorecard(hub, last.experiment_id)


FIRST = "Is there evidence that the decedent was physically abused or threatened by a current or former partner?"
SECOND = f"{FIRST}\nIndirect evidence counts: a shelter, a protective order, fear of the partner."


def cells() -> str:
    """Three cells with what they really show, the second and third shortened."""
    with tempfile.TemporaryDirectory() as folder, Hub.open(Path(folder) / "hub.db") as hub:
        first, second = (str(_cell(hub, "partner", prompt)) for prompt in (FIRST, SECOND))
        compared = "\n".join(str(comparisons.compare(hub, ["partner@1", "partner@2"])).splitlines()[:8])
    since = second[second.index("Since v1") :]
    shown = [
        (f"%%experiment partner --data sample\n{FIRST}", first),
        (f"%%experiment partner --data sample\n{SECOND}", f"…\n{since}"),
        ("%exphub compare partner@1 partner@2", f"{compared}\n…"),
    ]
    return "\n".join(f"```text\n{cell}\n\n{output}\n```" for cell, output in shown)
