"""Declarations of how the source's text is read: what they may say, and what cannot hold together."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from analysis.study.source import Source


@pytest.mark.parametrize(
    "formats",
    [
        ["%d/%m/%Y"],
        ["%d/%m/%Y", "%d.%m.%Y", "%d.%m.%Y %H:%M:%S"],
        ["%m/%d/%Y", "%d-%b-%Y", "%B %d, %Y"],
        ["%Y%m%d", "%Y-%m-%dT%H:%M", "%d/%m/%Y"],
    ],
)
def test_formats_of_whole_dates_in_one_order_are_taken(formats: list[str]) -> None:
    assert Source.model_validate({"date_formats": formats}).date_formats == tuple(formats)


@pytest.mark.parametrize(
    ("formats", "told"),
    [
        (["%d/%m/%Y", "%m/%d/%Y"], "03/04/2020 would be two days"),
        (["%d.%m.%Y", "%Y-%m-%d", "%m-%d-%Y"], "03/04/2020 would be two days"),
        (["%d/%m/%y"], "a year of two digits"),
        (["%Y-%d-%m"], "the month comes second"),
        (["%m/%Y"], "a year, a month and a day, each once"),
        (["%d/%d/%m/%Y"], "each once"),
        (["%d/%m/%b/%Y"], "each once"),
        ([""], "a year, a month and a day"),
        (["%d/%m/%Y %z"], "cannot be used"),
        (["%d/%m/%Y %p"], "cannot be used"),
        (["on %d/%m/%Y"], "cannot be used"),
        (["%d/%m/%Y%"], "cannot be used"),
        (["%d/%m/%Y'"], "cannot be used"),
    ],
)
def test_formats_that_could_be_misread_are_refused(formats: list[str], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Source.model_validate({"date_formats": formats})


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Argentina/Buenos_Aires", "UTC"])
def test_zones_have_their_names(zone: str) -> None:
    assert Source.model_validate({"time_zone": zone}).time_zone == zone


@pytest.mark.parametrize("zone", ["", "CET+1", "Mars/Base", "../etc", "Europe", "Factory"])
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValidationError, match="is not a time zone"):
        Source.model_validate({"time_zone": zone})


@pytest.mark.parametrize(("key", "value"), [("encoding", "utf-16"), ("delimiter", ":"), ("decimal", "'")])
def test_other_encodings_delimiters_and_decimal_signs_are_refused(key: str, value: str) -> None:
    with pytest.raises(ValidationError, match=key):
        Source.model_validate({key: value})


def test_the_schema_lets_a_file_name_stand_for_the_rows_of_the_code_map() -> None:
    kinds = Source.model_json_schema()["properties"]["code_map"]["anyOf"]
    assert [kind["type"] for kind in kinds] == ["string", "array"]
