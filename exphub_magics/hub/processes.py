"""Which process this is, and whether another one that a hub speaks of is known to be gone.

A process number is used again, clocks jump and machines start anew: a process is its machine, the machine's start, its
number, and how long after that start it began. Of the machine only a hash is told.
"""

from __future__ import annotations

import hashlib
import os
import platform
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from exphub_magics import lazily

if TYPE_CHECKING:
    import psutil
else:
    psutil = lazily.load("psutil")

Fate: TypeAlias = Literal["this", "alive", "gone", "elsewhere"]

TOLERANCE = 2.0  # seconds; the machine's own count of its start moves by one at times
FIRST_NAMESPACE = "pid:[4026531836]"  # Linux's, outside any container


@dataclass(frozen=True, slots=True)
class Process:
    """A process, told apart from all others."""

    machine: str
    boot: str  # a hash of the machine's last start; empty where the machine does not name it
    number: int
    started: float  # seconds after the machine's start


def this() -> Process:
    """The process that asks.

    >>> this() == this(), this().number == os.getpid()
    (True, True)
    """
    return _process(os.getpid())


@cache  # by number: a fork is another process
def _process(number: int) -> Process:
    return Process(machine(), boot(), number, _started(number))


def fate(process: Process) -> Fate:
    """What is known of a process: `elsewhere` is one that cannot be looked at from here.

    >>> fate(this())
    'this'
    """
    own = this()
    if process.machine != own.machine:
        return "elsewhere"
    if process.boot != own.boot:
        return "gone"
    try:
        same = abs(_started(process.number) - process.started) < TOLERANCE
        ended = psutil.Process(process.number).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return "gone" if _is_free(process.number) else "elsewhere"
    except psutil.AccessDenied:
        return "elsewhere"
    if ended or not same:
        # Only Linux counts a process's start from the machine's; elsewhere a clock that was set may be all it is.
        return "gone" if ended or psutil.LINUX else "elsewhere"
    return "this" if process.number == own.number else "alive"


def _started(number: int) -> float:
    """When a process began; the clock stands in both terms, so that setting it changes nothing."""
    return round(psutil.Process(number).create_time() - psutil.boot_time(), 2)


def _is_free(number: int) -> bool:
    """Whether no process has a number, those included that the process table hides from us."""
    if os.name == "nt":
        return True  # Windows hides none
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@cache
def machine() -> str:
    """A hash of this machine; in a container, which may share its names with others, of its start as well."""
    namespace = _link("/proc/self/ns/pid")
    card = uuid.getnode()
    parts = [
        platform.node(),
        _text("/etc/machine-id"),
        "" if card >> 40 & 1 else str(card),  # a random one is another each time
        namespace,
        boot() if namespace not in ("", FIRST_NAMESPACE) else "",
    ]
    return _hash("\n".join(parts))


@cache
def boot() -> str:
    """A hash of this machine's last start."""
    named = _text("/proc/sys/kernel/random/boot_id")
    return _hash(named) if named else ""


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _link(file: str) -> str:
    try:
        return str(Path(file).readlink())
    except OSError:
        return ""
