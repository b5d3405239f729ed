{#- Of a build that starts from the last one: the strata of history of which the dispersion differs. Empty for a build that starts anew. -#}
{%- if builds_on_last() -%}
select distinct spread_key
from {{ differing_rows('int_kpi_dispersion', ['spread_key', 'yoy_dispersion', 'pop_dispersion']) }} as spread
{%- else -%}
select spread_key
from {{ ref('int_kpi_dispersion') }}
where false
{%- endif %}
-- depends_on: {{ ref('int_kpi_dispersion') }}
