{#-
  Published figures side by side: one row per unit and period, one column per (name, KPI, column of kpi, slice). Days and weeks
  stay in kpi. A build that starts from the last one reads the touched periods alone for a mart that is a kept table.
-#}
{% macro wide_mart(columns) -%}
{{- waits_for('int_kpi_touched_since') -}}
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
        {%- if redoes_periods() %}
        and period_start >= {{ touched_since(columns) }}
        {%- endif %}
    group by unit_code, unit_name, unit_level, grain, period_start, period_end
)
{%- endmacro %}

{#- A share of two counts; null when there is nothing to divide by. -#}
{% macro share(part, whole) -%}
    cast({{ part }} as double) / nullif({{ whole }}, 0)
{%- endmacro %}

{#- Whether this model is a mart of which only what is touched is computed again: whole periods, from one day on. -#}
{% macro redoes_periods() -%}
{{ return(config.get('meta', {}).wide_columns is defined and builds_on_last()) }}
{%- endmacro %}

{#- As a literal: it keeps the engine from reading what is older. -#}
{% macro touched_since(columns) -%}
{%- set since = run_query(
    'select min(since) from ' ~ redone_relation('int_kpi_touched_since') ~ ' where ' ~ _is_one_of(columns)
).columns[0].values()[0] -%}
cast('{{ since or '9999-12-31' }}' as date)
{%- endmacro %}

{% macro _is_one_of(columns) -%}
    {%- for kpi_id in columns | map(attribute=1) | unique %}
    {%- if not loop.first %} or {% endif -%}
    kpi_id = '{{ kpi_id }}' and (slice is null or slice in ('{{ columns | selectattr(1, 'equalto', kpi_id) | map(attribute=3) | unique | join("', '") }}'))
    {%- endfor -%}
{%- endmacro %}
