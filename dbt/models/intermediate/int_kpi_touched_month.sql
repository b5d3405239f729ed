{#- Of a build that starts from the last one: the months of each KPI and root in which a count differs. Empty for a build that starts anew. -#}
{%- if builds_on_last() -%}
select distinct
    counted.kpi_id,
    dim_unit.root_code,
    counted.month_no
from {{ differing_rows('int_kpi_count_month', ['kpi_id', 'unit_code', 'month_no', 'content']) }} as counted
inner join {{ ref('dim_unit') }} as dim_unit on counted.unit_code = dim_unit.unit_code
{%- else -%}
select
    counted.kpi_id,
    dim_unit.root_code,
    counted.month_no
from {{ ref('int_kpi_count_month') }} as counted
inner join {{ ref('dim_unit') }} as dim_unit on counted.unit_code = dim_unit.unit_code
where false
{%- endif %}
