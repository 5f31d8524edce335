"""Where things lie: the checkout, the default study and the folders of an output."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parent.parent
DEFAULT_STUDY = PROJECT / "studies" / "biologic_combination.toml"


@dataclass(frozen=True, slots=True)
class Output:
    """The folders and files of one output folder, as the public contract names them."""

    root: Path

    @property
    def database(self) -> Path:
        """The published database."""
        return self.root / "coexposure.duckdb"

    @property
    def report(self) -> Path:
        """The report bundle."""
        return self.root / "report"

    @property
    def manifest(self) -> Path:
        """The manifest of the report bundle."""
        return self.report / "manifest.json"

    @property
    def quarantine(self) -> Path:
        """Rows set aside, one Parquet file a table."""
        return self.root / "quarantine"

    @property
    def build(self) -> Path:
        """Scratch of running builds."""
        return self.root / "build"

    def build_file(self, run_id: str) -> Path:
        """The database that a run builds."""
        return self.build / f"{run_id}.duckdb"
