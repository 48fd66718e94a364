"""An experiment hub for flagging text with language models, native to Jupyter.

`%load_ext exphub_magics` registers two magics, `%%experiment` and `%exphub`. What they need is imported when the
first of them is used, so that loading the extension costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lazy_loader

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["builtin", "estimates", "figures", "metrics", "overlaps", "pairing"],
    submod_attrs={
        "cards": ["Scorecard", "scorecard"],
        "comparisons": ["compare", "leaderboard"],
        "experiments": ["Progress", "run"],
        "exports": ["export"],
        "hub": ["Hub"],
        "prompts": ["Prompt"],
        "reports": ["html", "report"],
        "specs": ["Spec"],
    },
)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics; `%load_ext exphub_magics` calls this."""

    def exphub(line: str) -> Any:
        """Work with the hub: `%exphub list`, `%exphub show NAME`, …; `%exphub --help` names every verb."""
        from exphub_magics import magics  # noqa: PLC0415 - paid for at the first use

        return magics.exphub(shell, line)

    def experiment(line: str, cell: str | None = None) -> Any:
        """Put the cell's prompt to a model over every narrative: `%%experiment NAME --data FILE|FRAME|sample`.

        `%experiment`, with nothing below it, names every option.
        """
        from exphub_magics import magics  # noqa: PLC0415 - paid for at the first use

        return magics.experiment(shell, line, cell) if cell is not None else magics.experiment(shell, "--help", "")

    register: Any = shell.register_magic_function
    register(exphub, "line", "exphub")
    register(experiment, "line_cell", "experiment")
