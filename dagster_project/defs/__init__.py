"""All Dagster glue: assets, checks, job, schedule and sensors over the plain functions of the other packages.

Belongs here: what Dagster needs to see. Does not belong here: anything that reads, converts, judges or publishes data.
"""
