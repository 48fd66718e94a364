"""Rows of text cells that cost no memory: few are kept in it, many in a file of this process alone."""

from __future__ import annotations

import tempfile
import threading
import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import IO

from exphub_magics.errors import DatasetError

_IN_MEMORY = 16 * 2**20  # bytes; what is larger goes to a file
_END = "\0"  # after each cell, since no cell may hold it


class Spool:
    """Rows of text cells, appended one by one and read in any order, as often as one likes.

    >>> spool = Spool([("a", "V fell."), ("b", "")])
    >>> spool[0], len(spool), list(spool) == [("a", "V fell."), ("b", "")]
    (('a', 'V fell.'), 2, True)

    Beyond 16 MB the rows lie in a temporary file: only its owner may open it, on POSIX no folder lists it, and
    it is gone when the spool or the process is, however the process ends. A forked process must not read it:
    the two would share one position in the file.

    Raises:
        DatasetError: where the folder for temporary files has no room, or a cell holds what no store carries.
    """

    __slots__ = ("__weakref__", "_at_end", "_end", "_ends", "_file", "_lock", "_starts")

    def __init__(self, rows: Iterable[Sequence[str]] = ()) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  it lives as long as the spool
        weakref.finalize(self, _close, self._file)
        self._lock = threading.Lock()  # a file has one position, and several threads may read
        self._starts, self._ends = array("q"), array("q")
        self._end, self._at_end = 0, True
        for row in rows:
            self.append(row)

    def append(self, cells: Sequence[str]) -> None:
        """Add a row after the last."""
        start, end = self._write(cells)
        self._starts.append(start)
        self._ends.append(end)

    def replace(self, place: int, cells: Sequence[str]) -> None:
        """Put another row in the place of one."""
        self._starts[place], self._ends[place] = self._write(cells)

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, place: int) -> tuple[str, ...]:
        start, end = self._starts[place], self._ends[place]
        try:
            with self._lock:
                self._at_end = False
                self._file.seek(start)
                content = self._file.read(end - start)
        except OSError as error:  # what was written last may reach the disk only now
            raise _no_room(error) from error
        return tuple(content.decode().split(_END)[:-1])

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        return map(self.__getitem__, range(len(self)))

    def __reduce__(self) -> tuple[type[Spool], tuple[list[tuple[str, ...]]]]:
        return type(self), (list(self),)

    def _write(self, cells: Sequence[str]) -> tuple[int, int]:
        joined = _END.join([*cells, ""])
        if joined.count(_END) > len(cells):
            raise DatasetError("a text holds a NUL character: remove it, then read the data again")
        try:
            content = joined.encode()
        except UnicodeEncodeError as error:
            raise DatasetError("a text holds half a character (a lone surrogate): retype it") from error
        try:
            with self._lock:
                if not self._at_end:
                    self._file.seek(self._end)
                    self._at_end = True
                self._file.write(content)
                start, self._end = self._end, self._end + len(content)
        except OSError as error:
            raise _no_room(error) from error
        return start, self._end


def _no_room(error: OSError) -> DatasetError:
    return DatasetError(
        f"the folder for temporary files cannot hold the narratives ({error.strerror or type(error).__name__}): "
        "make room in it, or name another folder in the variable TMPDIR"
    )


def _close(file: IO[bytes]) -> None:
    with suppress(OSError):  # a full disk was said when the row was written, and the file goes either way
        file.close()
