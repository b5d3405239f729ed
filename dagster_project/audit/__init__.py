"""The audit: pure checks of a candidate, product by product, each returning a Verdict with the offending rows.

Belongs here: what decides whether a product may go out (lineage from product to source, the dbt tests run again, the
Great Expectations suites, balance, deliveries, freshness, continuity), and the gate that gathers the verdicts.
Does not belong here: anything that changes the candidate, the pool or a release, and anything that trusts a verdict
given elsewhere.
"""
