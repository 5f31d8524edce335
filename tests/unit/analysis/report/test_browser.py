"""The page in a browser: nothing but what may scroll is wider than a phone."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from analysis.report import write_bundle
from tests.unit.analysis.report.small import small_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--hide-scrollbars",
)
MEASURE = """
const page = document.querySelector('iframe').contentDocument, width = %d;
const inside = node => node.closest('.scroll') && !node.classList.contains('scroll');
const wide = [...page.body.querySelectorAll('*')].filter(node => !inside(node) && node.getBoundingClientRect().right >
width + 0.5); document.getElementById('found').textContent = JSON.stringify({ scroll: page.documentElement.scrollWidth,
wide: wide.map(node => node.tagName + '.' + node.className).slice(0, 9)});
"""


def measured(page: str, folder: Path, width: int) -> dict[str, object]:
    """Width that the page asks for in a frame of the given width, and the elements that stick out."""
    folder.mkdir()
    frame = f'<iframe style="width:{width}px;height:9000px;border:0" srcdoc="{html.escape(page, quote=True)}"></iframe>'
    script = f"<script>window.addEventListener('load', () => {{{MEASURE % width}}});</script>"
    (folder / "frame.html").write_text(
        f'<!doctype html><meta charset="utf-8">{frame}<pre id="found"></pre>{script}', encoding="utf-8"
    )
    command = [
        str(CHROMIUM),
        *FLAGS,
        f"--user-data-dir={folder / 'profile'}",
        "--dump-dom",
        (folder / "frame.html").as_uri(),
    ]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    found = re.search(r'<pre id="found">(.*?)</pre>', dom, flags=re.DOTALL)
    assert found
    assert found.group(1)
    answer: dict[str, object] = json.loads(html.unescape(found.group(1)))
    return answer


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_nothing_overflows_a_phone(tmp_path: Path) -> None:
    write_bundle(small_report(), tmp_path / "report", run={}, fingerprint="f" * 64)
    page = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    assert measured(page, tmp_path / "phone", 420) == {"scroll": 420, "wide": []}


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_measure_sees_what_overflows(tmp_path: Path) -> None:
    found = measured('<!doctype html><body><div class="x" style="width:900px">wide</div>', tmp_path / "phone", 420)
    assert found["wide"] == ["DIV.x"]
