"""What is delivered and what it becomes: the contract of each source and the schema of each entity.

Belongs here: the contract model, loading and checking of contract files, the entity schemas read from the dbt source
YAML. Does not belong here: reading delivered files (``ingest``), anything of Dagster (``defs``).
"""
