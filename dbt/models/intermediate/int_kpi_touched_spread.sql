{#- Of a build that starts from the last one: the parts of history of which the dispersion differs. Empty for a build that starts anew. -#}
{%- set columns = ['series_id', 'scope_id', 'grain_no', 'part_no'] -%}
{%- if builds_on_last() -%}
select distinct {{ columns | join(', ') }}
from {{ differing_rows('int_kpi_dispersion', columns + ['yoy_dispersion', 'pop_dispersion']) }} as spread
{%- else -%}
select {{ columns | join(', ') }}
from {{ ref('int_kpi_dispersion') }}
where false
{%- endif %}
