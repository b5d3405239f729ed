"""The police data pool: deliveries of a bureau's systems in, gated statistical releases out.

Data flows one way: ``contracts`` say what is delivered, ``ingest`` turns landing into the pool, dbt (the folder ``dbt/``
beside this package) turns the pool into marts, ``audit`` judges the result, ``release`` publishes it and ``bulletin``
draws it. ``defs`` binds these to Dagster; ``city`` simulates a bureau; ``cli`` is the ``pool`` command.
"""
