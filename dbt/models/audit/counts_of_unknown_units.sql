{#- Counts that stand under 未归属 because their unit code was missing, unknown or not valid on their day. -#}
{{ config(materialized='view') }}
select
    kpi_id,
    unit_code,
    min(day) as first_day,
    max(day) as last_day,
    sum(numerator) as numerator,
    sum(denominator) as denominator
from {{ ref('fct_kpi_count') }}
where unit_code like '%.unassigned' and cell = ''
group by kpi_id, unit_code
