{#-
  Published figures side by side: one row per unit and period, one column per (name, KPI, column of kpi, slice). Days and weeks
  stay in kpi.
-#}
{% macro wide_mart(columns) -%}
wide as (
    select
        unit_code,
        unit_name,
        unit_level,
        grain,
        period_start,
        period_end,
        min(case when is_complete then 1 else 0 end) = 1 as is_complete
        {%- for name, kpi_id, column, slice in columns %},
        max(case when kpi_id = '{{ kpi_id }}' and slice = '{{ slice }}' then {{ column }} end) as {{ name }}
        {%- endfor %}
    from {{ ref('kpi') }}
    where
        grain in ('month', 'quarter', 'year', 'ytd')
        and kpi_id in ({% for kpi_id in columns | map(attribute=1) | unique | list %}'{{ kpi_id }}'{% if not loop.last %}, {% endif %}{% endfor %})
    group by unit_code, unit_name, unit_level, grain, period_start, period_end
)
{%- endmacro %}

{#- A share of two counts; null when there is nothing to divide by. -#}
{% macro share(part, whole) -%}
    cast({{ part }} as double) / nullif({{ whole }}, 0)
{%- endmacro %}
