"""The page of figures: each benchmark owns the part between its markers. Says which commit and machine made them."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

HEAD = (
    "# Benchmarks\n\nMade by `make bench`. Each part is what its command printed, with the commit that it measured.\n"
)


def commit() -> str:
    """The commit that is measured."""
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()


def machine() -> str:
    """Cores, memory, Python and system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}, {platform.system()} {platform.machine()}"


def replace_part(page: Path, name: str, text: str) -> None:
    """Puts a benchmark's text between its markers, at the end where it has none yet."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    old = page.read_text(encoding="utf-8") if page.exists() else HEAD
    part = f"{begin}\n{text.strip()}\n{end}"
    marked = re.compile(re.escape(begin) + ".*?" + re.escape(end), flags=re.DOTALL)
    new = marked.sub(lambda _: part, old) if marked.search(old) else f"{old.rstrip()}\n\n{part}\n"
    page.write_text(new, encoding="utf-8")
