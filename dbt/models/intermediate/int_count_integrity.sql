{{ config(materialized='view') }}
{#- What makes records look better than the work: each part counts its own figures, nothing is counted twice. -#}
{% for part in ['case', 'incident', 'callback', 'mediation'] %}
{% if not loop.first %}union all {% endif -%}
select
    kpi_id,
    unit_code,
    day,
    cell,
    numerator,
    denominator
from {{ ref('int_integrity_' ~ part) }}
{% endfor %}
