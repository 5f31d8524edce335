"""Database files that this process keeps open between uses.

Owns which they are. To open a file reads its catalog, some 20 ms for two hundred tables, and a run opens its build file more than a
thousand times. A large file is closed all the same after each use, so that what it holds in memory is given back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KEPT: dict[Path, Any] = {}  # the connection that keeps each file open; None before the first use
LARGEST_BYTES = 256_000_000


def keep_open(path: Path) -> None:
    """From now on this process opens the file once and keeps it, until it is large, is published or is removed."""
    KEPT.setdefault(path.resolve(), None)


@contextmanager
def kept_open(path: Path) -> Iterator[None]:
    """The same while inside. Nothing else can open the file for writing meanwhile."""
    keep_open(path)
    try:
        yield
    finally:
        let_go(path)
        KEPT.pop(path.resolve(), None)


def is_kept(path: Path) -> bool:
    """Whether the file is one to keep, and small enough; one that has grown too large is let go."""
    if path.resolve() not in KEPT:
        return False
    if path.is_file() and path.stat().st_size > LARGEST_BYTES:
        let_go(path)
        return False
    return True


def held(path: Path, connect: Callable[[], Any]) -> Any:
    """The connection that keeps the file open, made by `connect` where there is none."""
    place = path.resolve()
    if KEPT[place] is None:
        KEPT[place] = connect()
    return KEPT[place]


def let_go(path: Path) -> None:
    """Closes the file where it is kept open; the next use opens it again."""
    place = path.resolve()
    if KEPT.get(place) is not None:
        KEPT[place].close()
        KEPT[place] = None
