"""What can be wrong with a study or its data, from the user's side: one table of kinds, used by Dagster and by the shell.

Everything that is not listed here is a bug and shows its traceback.
"""

from __future__ import annotations

from analysis.study.read import StudyError
from pipelines.ingest.files import InputError
from pipelines.steps import NothingToStudyError


class UsageError(ValueError):
    """The command or its settings cannot be used."""


class BlockedError(ValueError):
    """The data break a rule that stops the run; the message names rule, table and counts."""


USER_ERRORS: tuple[type[ValueError], ...] = (StudyError, InputError, NothingToStudyError, UsageError, BlockedError)
EXIT_CODES: dict[str, int] = {
    StudyError.__name__: 2,
    InputError.__name__: 2,
    UsageError.__name__: 2,
    BlockedError.__name__: 3,
    NothingToStudyError.__name__: 4,
}
