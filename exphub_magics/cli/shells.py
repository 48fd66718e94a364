"""Completion in bash, by the line as it is typed.

Bash takes `@`, `=` and `:` for the ends of words, and what it is told replaces what stands behind the last of them. It
puts that there as it is, so blanks have to be escaped.
"""

from __future__ import annotations

import os
import re
from typing import Any, ClassVar

from click.shell_completion import BashComplete, CompletionItem, split_arg_string

SOURCE = r"""%(complete_func)s() {
    local reply
    reply=$(env EXPHUB_LINE="${COMP_LINE:0:COMP_POINT}" EXPHUB_WORD="$2" %(complete_var)s=bash_complete "$1")
    [[ $reply ]] && mapfile -t COMPREPLY <<< "$reply"
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""
_SPECIAL = re.compile(r"""([\s"'\\$`&|;<>()*?\[\]{}!#~])""")
_IN_QUOTES = re.compile(r"""(["\\$`])""")
_TOKEN = re.compile(r"""\s+|(?:\\.|"(?:\\.|[^"\\])*"?|'[^']*'?|[^\s"'\\])+\\?|\\""")  # blanks, or a word


class Bash(BashComplete):
    """What completes where the cursor stands in a line of bash."""

    source_template: ClassVar[str] = SOURCE

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is typed, without the command, and that one."""
        line = os.environ["EXPHUB_LINE"]
        words = split_arg_string(line)[1:]
        return (words[:-1], words[-1]) if words and typed(line) else (words, "")

    def complete(self) -> str:
        """What completes, one a line; nothing where a quote stands in the midst of the word, which is rare."""
        word = typed(os.environ["EXPHUB_LINE"])
        return "" if _quotes(word[1:]) and _quote(word) is None else super().complete()

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """What bash is to put in the place of its own word."""
        return completed(str(item.value), typed(os.environ["EXPHUB_LINE"]), os.environ["EXPHUB_WORD"])


def typed(line: str) -> str:
    r"""What is typed of the last word of a line, with its quotes and backslashes.

    >>> typed("exphub show first@"), typed("exphub show "), typed("exphub show ipv\\ ·"), typed('exphub show "ipv · s')
    ('first@', '', 'ipv\\ ·', '"ipv · s')
    """
    last = (_TOKEN.findall(line) or [""])[-1]
    return "" if last.isspace() else last


def completed(value: str, fragment: str, word: str) -> str:
    r"""A value as bash is to have it.

    Args:
        value: what completes.
        fragment: what is typed of it.
        word: the end of that which bash takes for the word, and which the answer replaces.

    >>> completed("first@2", "first@", ""), completed("ipv · strict", "ip", "ip"), completed("$5 · x", '"$', "$")
    ('2', 'ipv\\ ·\\ strict', '\\$5 · x')
    """
    if fragment[:1] == "'":  # bash keeps a quote that is open, and closes it
        return value.replace("'", r"'\''")
    if fragment[:1] == '"':
        return _IN_QUOTES.sub(r"\\\1", value).replace("!", "\"'!'\"")
    kept = fragment.removesuffix(word) if word else fragment if fragment[-1:] in "@=:" else ""
    escaped = _SPECIAL.sub(r"\\\1", value)
    return escaped.removeprefix(kept)


def _quotes(fragment: str) -> bool:
    return "'" in fragment or '"' in fragment


def _quote(fragment: str) -> str | None:
    """The quote that a fragment begins with, where it is still open."""
    first, rest = fragment[:1], fragment[1:]
    if first == '"':
        rest = re.sub(r"\\.", "", rest)
    return first if first in ("'", '"') and first not in rest else None
