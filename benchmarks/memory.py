"""Peak memory of a benchmark's own process."""

from __future__ import annotations

import re
from pathlib import Path


def peak_mib() -> float:
    """Peak resident memory of this program alone in MiB; what getrusage says begins with that of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024
