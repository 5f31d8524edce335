"""Reading a study file: TOML in, `StudySpec` out, and one clear message for whatever is wrong with it.

Owns the wording of what is wrong and the search for the nearest right key. Decides no setting.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from analysis.study.code_map import mapped_codes
from analysis.study.spec import StudySpec


class StudyError(ValueError):
    """The study file cannot be used; the message says which key and what to do."""


def read_study(path: Path) -> StudySpec:
    """The study that a TOML file describes.

    The code map that it names is read with it. Raises StudyError for a missing or unreadable file, an unknown key (naming
    the nearest right one), a value of the wrong type and settings that contradict each other.
    """
    if not path.is_file():
        raise StudyError(f"study file not found: {path}")
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(f"{path.name} is not a readable TOML file: {error}") from None
    _read_code_map(settings.get("source"), path)
    return study_from(settings, name=path.name)


def study_from(settings: dict[str, Any], *, name: str) -> StudySpec:
    """The study that these settings describe; `name` is the file that messages speak of. Raises StudyError."""
    try:
        return StudySpec.model_validate(settings)
    except ValidationError as error:
        problems = [_sentence(problem["type"], problem["loc"], problem["msg"]) for problem in error.errors()]
        raise StudyError(f"{name}: " + "; ".join(problems)) from None


def _read_code_map(source: object, study: Path) -> None:
    """Puts the rows of `source.code_map` in the place of its file name, so that they are settings like any other."""
    if not isinstance(source, dict) or not isinstance(source.get("code_map"), str):
        return
    path = study.parent / source["code_map"]
    try:
        source["code_map"] = mapped_codes(path.read_bytes())
    except OSError:
        raise StudyError(f"{study.name}: source.code_map: the file {source['code_map']} cannot be read") from None
    except ValueError as error:
        raise StudyError(f"{study.name}: source.code_map: {source['code_map']} cannot be used: {error}") from None


def nearest(word: str, known: list[str]) -> str:
    """` (did you mean 'x'?)`, or an empty text when nothing is near."""
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f" (did you mean {found[0]!r}?)" if found else ""


def _sentence(kind: str, location: tuple[int | str, ...], message: str) -> str:
    key = ".".join(str(part) if isinstance(part, str) else f"[{part + 1}]" for part in location).replace(".[", "[")
    if kind == "extra_forbidden":
        return f"unknown key {key!r}{nearest(str(location[-1]), _keys_beside(location))}"
    if kind == "missing":
        return f"required key {key!r} is missing"
    text = message.removeprefix("Value error, ")
    return f"{key}: {text}" if key else text


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """The right keys of the section that holds the wrong one."""
    model: type[BaseModel] | None = StudySpec
    for part in location[:-1]:
        if model is None or not isinstance(part, str):
            continue
        field = model.model_fields.get(part)
        model = _model_in(field.annotation) if field else model
    return sorted(model.model_fields) if model else []


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
