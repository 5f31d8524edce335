"""What the house promises about its own text, beyond the import rules that `make lint` holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("analysis", "sql", "expectations", "pipelines")
LONGEST_MODULE = 310  # lines; about 300
# Neither the clock nor the environment may change a number: these belong to pipelines.
CLOCK_OR_ENVIRONMENT = re.compile(
    r"\b(datetime|date|dt\.datetime|dt\.date)\.(now|today|utcnow|fromtimestamp)\b|\btime\.(time|monotonic|perf_counter)\b"
    r"|^\s*(import time|from time import)\b|\bos\.(environ|getenv|putenv)\b|\bfrom os import .*(environ|getenv)"
    r"|\b(getuser|gethostname|uname)\(",
    re.MULTILINE,
)
ALLOWED = {("expectations/validate.py", 'os.environ["GX_ANALYTICS_ENABLED"] = "false"')}
FORBIDDEN_WORDS = re.compile(
    r"\b(patients?|subjects)\b(?! choice)", re.IGNORECASE
)  # "patient choice" is a reason as received


def _modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", [*_modules(*PACKAGES, "tests")], ids=_name)
def test_a_module_is_at_most_about_300_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


def _reads_of_the_world(text: str, name: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if CLOCK_OR_ENVIRONMENT.search(line)]
    return [line for line in lines if (name, line) not in ALLOWED]


@pytest.mark.parametrize("path", [*_modules("analysis", "sql", "expectations")], ids=_name)
def test_no_number_hangs_on_the_clock_or_the_environment(path: Path) -> None:
    assert _reads_of_the_world(path.read_text(encoding="utf-8"), _name(path)) == []


@pytest.mark.parametrize(
    "line",
    [
        "started = dt.datetime.now()",
        "today = date.today()",
        "begin = time.perf_counter()",
        "import time",
        "from time import time",
        'home = os.environ["HOME"]',
        'home = os.getenv("HOME")',
        "from os import environ",
    ],
)
def test_a_read_of_the_clock_or_the_environment_is_seen(line: str) -> None:
    assert _reads_of_the_world(f"x = 1\n{line}\n", "analysis/x.py") == [line]


def test_the_one_allowed_line_is_there_and_allowed_nowhere_else() -> None:
    ((module, line),) = ALLOWED
    assert line in (ROOT / module).read_text(encoding="utf-8")
    assert _reads_of_the_world(line, "analysis/x.py") == [line]


@pytest.mark.parametrize("path", [*_modules(*PACKAGES), *sorted((ROOT / "sql").rglob("*.sql"))], ids=_name)
def test_people_are_called_persons(path: Path) -> None:
    assert FORBIDDEN_WORDS.findall(path.read_text(encoding="utf-8")) == []


def test_another_word_for_people_is_seen() -> None:
    assert FORBIDDEN_WORDS.findall("one row a Patient; the subjects") == ["Patient", "subjects"]
