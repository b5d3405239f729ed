{% set columns = [
    ('kinds', 'POOL-1.kinds', 'numerator', ''),
    ('rows_accepted', 'POOL-1.rows', 'numerator', ''),
    ('rows_accepted_pop_ratio', 'POOL-1.rows', 'pop_ratio', ''),
    ('sources_due', 'POOL-2', 'denominator', ''),
    ('sources_fresh', 'POOL-2', 'numerator', ''),
    ('fresh_share', 'POOL-2', 'value', ''),
    ('rows_read', 'POOL-3', 'denominator', ''),
    ('rows_quarantined', 'POOL-3', 'numerator', ''),
    ('quarantined_share', 'POOL-3', 'value', ''),
] -%}
{{ config(materialized=kept_table(), meta={'wide_columns': columns}) }}
with {{ wide_mart(columns) }}
,

published as (
    select
        max(case when claim_id = 'data_kinds' then value end) as claimed_kinds,
        max(case when claim_id = 'data_rows' then value end) as claimed_rows
    from {{ ref('published_claim') }}
)

select
    wide.*,
    published.claimed_kinds,
    published.claimed_rows
from wide
cross join published
