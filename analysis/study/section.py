"""What the sections of the study file share: a frozen record without unknown keys, and the types of their fields.

Owns no setting.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

DRUG_ID = re.compile(r"^[a-z][a-z0-9_]*$")

Identifier = Annotated[str, Field(pattern=DRUG_ID.pattern)]
Days = Annotated[int, Field(ge=0, le=36_500)]
AfterStopDays = Annotated[int, Field(ge=1, le=3_650)]
Factor = Annotated[float, Field(ge=0, le=100)]


class Section(BaseModel):
    """A section of the study file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
