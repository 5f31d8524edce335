"""`coexposure diff`: what changed between two output folders."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from pipelines.errors import UsageError
from pipelines.paths import Output

_NUMBERS = ("value", "lower", "upper", "status")


def differences(old: Output, new: Output) -> list[str]:
    """One line for each thing that differs: study, inputs, code, quality counts and estimates.

    Raises UsageError when a folder holds no published report.
    """
    before, after = _manifest(old), _manifest(new)
    lines = [f"study {key}: {before['study'].get(key)} -> {after['study'].get(key)}" for key in ("id", "version", "digest")
             if before["study"].get(key) != after["study"].get(key)]  # fmt: skip
    for part in ("inputs", "packages", "sql_digests"):
        if part in before or part in after:
            lines += _mapping(part, before.get(part), after.get(part))
    return lines + _estimates(old, new)


def _manifest(out: Output) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(out.manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UsageError(f"{out.root} holds no published report") from None
    return found


def _mapping(name: str, before: Any, after: Any) -> list[str]:
    old, new = _keyed(before), _keyed(after)
    return [
        f"{name} {key}: {'absent' if key not in old else 'changed' if key in new else 'removed'}"
        + (" -> present" if key not in old else "")
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def _keyed(value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        return {str(key): json.dumps(item, sort_keys=True) for key, item in value.items()}
    return {
        str(item.get("source_file") or item.get("table_name") or number): json.dumps(item, sort_keys=True)
        for number, item in enumerate(value or [])
    }


def _estimates(old: Output, new: Output) -> list[str]:
    before, after = (pl.read_parquet(out.report / "estimates.parquet") for out in (old, new))
    joined = before.select("estimate_id", *_NUMBERS).join(
        after.select("estimate_id", *_NUMBERS), on="estimate_id", how="full", coalesce=True, suffix="_new"
    ).sort("estimate_id")  # fmt: skip
    lines = []
    for row in joined.iter_rows(named=True):
        was = tuple(row[name] for name in _NUMBERS)
        now = tuple(row[f"{name}_new"] for name in _NUMBERS)
        if was != now:
            lines.append(f"estimate {row['estimate_id']}: {_shown(was)} -> {_shown(now)}")
    return lines


def _shown(numbers: tuple[Any, ...]) -> str:
    value, lower, upper, status = numbers
    if status is None:
        return "absent"
    texts = ["-" if number is None else f"{number:.4g}" for number in (value, lower, upper)]
    return f"{texts[0]} ({texts[1]} to {texts[2]}) {status}"
