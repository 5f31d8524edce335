"""The questions of docs/query.md, asked of a published database in the way that analysts ask."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from sql.warehouse import guarded_query
from tests.pipeline.records import PROJECT, write_records
from tests.pipeline.test_run import run_study

pytestmark = pytest.mark.filterwarnings("default")
PAGE = (PROJECT / "docs" / "query.md").read_text(encoding="utf-8")
QUESTIONS = re.findall(r"^## (\d+\. .+?)\n```sql\n(.+?)```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("query")
    assert run_study(write_records(folder / "source"), folder / "out") is None
    return folder / "out" / "coexposure.duckdb"


def test_the_page_has_ten_questions() -> None:
    assert [int(title.split(".")[0]) for title, _ in QUESTIONS] == list(range(1, 11))


@pytest.mark.parametrize(("title", "text"), QUESTIONS, ids=[title for title, _ in QUESTIONS])
def test_the_question_has_an_answer(database: Path, title: str, text: str) -> None:
    assert guarded_query(database, text).height > 0, title


def test_the_answers_are_those_of_the_hand_made_records(database: Path) -> None:
    answers = {int(title.split(".")[0]): guarded_query(database, text) for title, text in QUESTIONS}
    first = answers[1].filter(pl.col("regimen_id") == "infliximab+omalizumab")
    assert first.row(0) == ("infliximab+omalizumab", 1, 0.2)  # 56 days
    assert answers[2].select((pl.col("days_in_intervals") == pl.col("days_observed")).all()).item()
    months = answers[3].filter(
        (pl.col("method") == "naive_order_statistic") & (pl.col("population") == "first_episode")
    )
    assert months["months"].to_list() == [round(56 / 30.4375, 2)]
    assert answers[4].rows() == [("second_started", "unknown", 1)]
    assert answers[8].height == 7
