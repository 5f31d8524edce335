"""What may be trusted: data-quality rules at three doors, counted by Great Expectations and graded here."""
