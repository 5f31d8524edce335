"""docs/study.md explains every key of the study file, and none that does not exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from analysis.study.spec import StudySpec

PAGE = (Path(__file__).parents[3] / "docs" / "study.md").read_text(encoding="utf-8")


def _model(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model(part))), None)


SECTIONS = {name: model for name, field in StudySpec.model_fields.items() if (model := _model(field.annotation))}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_of_the_section_is_explained_and_no_other(section: str) -> None:
    part = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    body = next(text for text in part if re.match(rf"`\[+{section}\]+`", text))
    explained = re.findall(r"^\| `(\w+)` \|", body, flags=re.MULTILINE)
    assert sorted(explained) == sorted(SECTIONS[section].model_fields)
