"""An experiment hub for flagging text with language models, native to Jupyter.

`%load_ext exphub_magics` registers two magics, `%%experiment` and `%exphub`. What they need is imported when the
first of them is used, so that loading the extension costs next to nothing; a kernel does so as soon as it is idle, so
that neither the first Tab nor the first panel is waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import lazy_loader

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

IDLE = 0.2  # seconds that a kernel is left alone before it imports what will be needed

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["builtin", "figures", "metrics"],
    submod_attrs={
        "reviewing.agreements": ["agreement", "effect"],
        "cards": ["Scorecard", "scorecard"],
        "comparisons": ["compare", "leaderboard"],
        "experiments": ["Progress", "run"],
        "reports.exports": ["export"],
        "hub": ["Hub"],
        "prompts": ["Prompt"],
        "reports": ["html", "report"],
        "specs": ["Spec"],
        "widgets.browse": ["browse"],
        "widgets.review": ["review"],
        "widgets.studio": ["studio"],
    },
)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics and what completes in them; `%load_ext exphub_magics` calls this."""
    from IPython.core.completer import (  # noqa: PLC0415 - only a shell has it, and has it loaded
        CompletionContext,
        SimpleMatcherResult,
        context_matcher,
    )

    unload_ipython_extension(shell)

    def exphub(line: str) -> Any:
        """Work with the hub: `%exphub list`, `%exphub show NAME`, …; `%exphub --help` names every verb."""
        from exphub_magics import magics  # noqa: PLC0415 - paid for at the first use

        return magics.exphub(shell, line)

    def experiment(line: str, cell: str | None = None) -> Any:
        """Put the cell's prompt to a model over every narrative: `%%experiment NAME --data FILE|FRAME|sample`.

        `%experiment` alone names every option; with `--prompt-file FILE` it runs the prompt of a file.
        """
        from exphub_magics import magics  # noqa: PLC0415 - paid for at the first use

        alone = cell is None and not line.strip()
        return magics.experiment(shell, "--help" if alone else line, cell or "")

    def complete(context: CompletionContext) -> SimpleMatcherResult:
        """What Tab offers."""
        nothing = SimpleMatcherResult(completions=[])
        if "%experiment" not in context.full_text and "%exphub" not in context.full_text:
            return nothing
        try:
            from exphub_magics import matchers  # noqa: PLC0415 - paid for at the first use

            return matchers.complete(shell, context)
        except Exception:  # noqa: BLE001 - IPython prints it as a traceback into the cell in which somebody types
            return nothing

    register: Any = shell.register_magic_function
    for function, kind in ((exphub, "line"), (experiment, "line_cell")):
        function.getdoc = _help_of(function.__name__)  # type: ignore[attr-defined]  # `?` and Shift+Tab ask for it
        register(function, kind, function.__name__)
    matcher: Any = context_matcher(priority=100, identifier="exphub")(complete)
    shell.Completer.custom_matchers.append(matcher)
    shell.input_transformers_cleanup.append(_with_body)
    if getattr(shell, "kernel", None) is not None:
        _import_when_idle(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take away what was registered; `%unload_ext` and `%reload_ext` call this."""
    for own in (shell.Completer.custom_matchers, shell.input_transformers_cleanup):
        own[:] = [one for one in own if getattr(one, "__module__", None) != __name__]
    for kind, name in (("line", "exphub"), ("line", "experiment"), ("cell", "experiment")):
        shell.magics_manager.magics[kind].pop(name, None)


def _import_when_idle(shell: InteractiveShell) -> None:
    """Have what verbs, Tab and panels need imported between two cells, in the thread that runs them."""
    import asyncio  # noqa: PLC0415 - a kernel has it loaded

    with suppress(RuntimeError):  # where nothing runs that could come back to it
        asyncio.get_running_loop().call_later(IDLE, _import, shell)


def _import(shell: InteractiveShell) -> None:
    # As in a cell, where pandas finds out that it is in a notebook, and shows more columns.
    with shell.builtin_trap, suppress(ImportError):  # which the first verb says
        import sqlite_utils.db  # noqa: F401, PLC0415 - that imports pandas

        from exphub_magics import magics, matchers  # noqa: F401, PLC0415
        from exphub_magics.widgets import panels  # noqa: F401, PLC0415


def _help_of(name: str) -> Callable[[], str]:
    def help_of() -> str:
        from exphub_magics import magics  # noqa: PLC0415 - paid for at the first use

        return magics.help_of(name)

    return help_of


def _with_body(lines: list[str]) -> list[str]:
    """Give a `%%experiment` without a line below it an empty one: else IPython answers, and takes it for a slip."""
    written = "".join(lines)
    alone = written.lstrip().startswith("%%experiment") and written.count("\n") <= written.endswith("\n")
    return [*lines, "\n"] if alone and "%%experiment?" not in written else lines


_with_body.has_side_effects = True  # type: ignore[attr-defined]  # so that a terminal does not take the cell for whole
