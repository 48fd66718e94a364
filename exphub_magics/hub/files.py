"""The hub's file as the file system sees it: which one it is, what it is on, and what lies beside it.

The file itself is never opened here: a process that closes a file gives up all its locks on it, SQLite's too.
"""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from exphub_magics import lazily

if TYPE_CHECKING:
    import psutil
else:
    psutil = lazily.load("psutil")

Identity: TypeAlias = tuple[int, int]

# File systems on which two machines, or a machine and its guest, share no memory: SQLite's WAL needs that.
_NETWORK = re.compile(
    r"nfs\d*|cifs|smb\d*|smbfs|9p|afs|afpfs|ncpfs|ceph|lustre|beegfs|gpfs|glusterfs|davfs\d*|webdav|vboxsf|prl_fs|vmhgfs|"
    r"fuse\..*"
)
_SERVICES = {
    "Dropbox": r"dropbox( .*|-.*)?",
    "OneDrive": r"onedrive( .*|-.*)?",
    "iCloud": r"icloud ?drive|mobile documents|com~apple~clouddocs",
    "Google Drive": r"google ?drive( .*|-.*)?",
    "Nextcloud": r"nextcloud",
    "Box": r"box( sync|-box)?",
}
_HEADER = struct.Struct(">8I")  # of a -wal: magic, version, page size, sequence, two salts, two checksums
_MAGIC = {0x377F0682: "<6I", 0x377F0683: ">6I"}  # in which order the checksum takes the header's bytes


def identity(file: Path) -> Identity | None:
    """Which file stands at a path at this moment; None where there is none.

    >>> identity(Path("no such file")) is None
    True
    """
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def size(file: Path) -> int:
    """How many bytes a file holds; none where there is none."""
    try:
        return file.stat().st_size
    except OSError:
        return 0


def journal(file: Path) -> Path:
    """Where SQLite keeps what was written and is not yet in the file itself.

    >>> journal(Path("hub.db")).name
    'hub.db-wal'
    """
    real = file.resolve()
    return real.with_name(f"{real.name}-wal")


def is_damaged_journal(journal: Path) -> bool:
    """Whether SQLite would pass over all that a -wal holds, since its header is not what was written."""
    with journal.open("rb") as opened:  # SQLite takes no lock on this one
        header = opened.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return False  # no more than begun
    magic, *_, first, second = _HEADER.unpack(header)
    return magic not in _MAGIC or _checksum(struct.unpack(_MAGIC[magic], header[:24])) != (first, second)


def _checksum(words: tuple[int, ...]) -> tuple[int, int]:
    """SQLite's: https://sqlite.org/walformat.html, section 1.2."""
    first = second = 0
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) % 2**32
        second = (second + other + first) % 2**32
    return first, second


def network(file: Path) -> str | None:
    """The kind of the network file system that a file is on; None on a disk of this machine."""
    path = os.path.realpath(file)
    if path.startswith("\\\\"):
        return "UNC"
    if os.name == "nt":
        return None  # asking Windows about every drive can take it minutes
    mounted = [one for one in psutil.disk_partitions(all=True) if _holds(one.mountpoint, path)]
    kind = max(mounted, key=lambda one: len(one.mountpoint)).fstype if mounted else ""
    return kind if _NETWORK.fullmatch(kind) else None


def _holds(folder: str, path: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def service(file: Path) -> str | None:
    """The service that keeps a file's folder in step with other machines.

    >>> service(Path("/home/a/Dropbox/study/exphub.db")), service(Path("/home/a/boxes/exphub.db"))
    ('Dropbox', None)
    """
    folders = [part.casefold() for part in file.absolute().parent.parts]
    return next(
        (name for name, sign in _SERVICES.items() if any(re.fullmatch(sign, folder) for folder in folders)), None
    )


def warnings(file: Path) -> tuple[str, ...]:
    """What is to be said of where a hub's file is."""
    said = []
    if kind := network(file):
        said.append(
            f"{file.name} is on a network file system ({kind}): writing is slower there, and two machines may not be"
            " kept apart; a hub on this machine's disk is safer"
        )
    if name := service(file):
        said.append(
            f"{file.name} is in a folder that {name} keeps in step: it may copy the hub half written; pause it while"
            " an experiment runs, or keep the hub elsewhere"
        )
    return tuple(said)
