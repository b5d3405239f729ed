"""Ingest measured: vehicle-gate passages from landing to pool, beside what bare pyarrow and pandas need for the same file."""
