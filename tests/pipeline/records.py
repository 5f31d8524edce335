"""A hand-made source of a few persons, small enough to check every number with a finger."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent
DEFAULT_STUDY = PROJECT / "studies" / "biologic_combination.toml"

TABLES = {
    "person": """
person_id,sex,year_of_birth
A1,F,1970
A2,M,1980
A3,F,1960
""",
    "observation_period": """
person_id,start_date,end_date
A1,2018-01-01,2022-12-31
A2,2018-01-01,2022-12-31
A3,2018-01-01,2020-06-30
""",
    # A1: infliximab from 1 June 2019 (two doses of 56 days by their supply), omalizumab from 1 July (two of 28): a pair of
    # 56 days.
    "prescription": """
prescription_id,person_id,record_type,drug_source_value,start_date,days_supply
1,A1,administration,infliximab,2019-06-01,56
2,A1,administration,infliximab,2019-07-27,56
3,A1,dispensing,Xolair,2019-07-01,
4,A1,dispensing,Xolair,2019-07-29,
5,A2,dispensing,humira,2019-03-01,28
6,A2,dispensing,prednisone,2019-03-01,30
7,A3,dispensing,aspirin,2019-03-01,30
""",
    "adverse_event": """
adverse_event_id,person_id,term,onset_date,serious
1,A1,Pneumonia,2019-08-05,Y
""",
}


def write_records(folder: Path, **changed: str | None) -> Path:
    """Writes the source; a table given as None is left out, one given as text replaces the table."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (TABLES | changed).items():
        if text is not None:
            (folder / f"{name}.csv").write_text(text.lstrip("\n"), encoding="utf-8")
    return folder
