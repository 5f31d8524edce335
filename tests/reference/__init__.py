"""The slow, obvious engine that the SQL is compared with; it imports nothing of the project."""
