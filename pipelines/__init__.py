"""How and when it flows: ingest, Dagster, command line."""
