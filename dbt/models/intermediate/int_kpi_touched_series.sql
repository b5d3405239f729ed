{#-
  Of a build that starts from the last one: the series that are new or gone, or to which other leaves belong, or whose words or unit
  differ. Empty for a build that starts anew.
-#}
{%- if builds_on_last() -%}
select series_id
from {{ differing_rows('int_kpi_link', ['kpi_id', 'cell', 'leaf_code', 'role', 'time_rule', 'slice', 'unit_code', 'valid_from', 'valid_to', 'series_id']) }} as link
union
select series_id
from {{ differing_rows('int_kpi_series', ['series_id', 'scope_id', 'unit_first_no', 'unit_end_no', 'kind', 'time_rule', 'value_scale', 'method_no', 'unit_role', 'is_recorded', 'least_cases']) }} as series
union
select series.series_id
from {{ differing_rows('int_kpi_unit_change', ['unit_code', 'changed_on', 'role']) }} as changed
inner join {{ ref('int_kpi_series') }} as series on changed.unit_code = series.unit_code
{%- else -%}
select series_id
from {{ ref('int_kpi_series') }}
where false
{%- endif %}
-- depends_on: {{ ref('int_kpi_link') }}
-- depends_on: {{ ref('int_kpi_series') }}
-- depends_on: {{ ref('int_kpi_unit_change') }}
