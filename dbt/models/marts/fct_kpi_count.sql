{{ config(materialized='view') }}
{#- The counts of all families side by side; each family's model holds its own, and nothing is stored twice. -#}
{% for family in [
    'incident', 'warning_drop', 'clearance', 'public_order', 'response', 'mediation', 'satisfaction', 'traffic', 'reported_figure', 'pool',
    'registration', 'hazard', 'enforcement', 'complaint', 'fraud', 'service',
    'community', 'patrol', 'progress',
    'equipment', 'integrity'
] %}
{% if not loop.first %}union all {% endif -%}
select
    kpi_id,
    unit_code,
    day,
    cell,
    numerator,
    denominator
from {{ ref('int_count_' ~ family) }}
{% endfor %}
