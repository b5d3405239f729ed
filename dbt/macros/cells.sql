{#-
  Sums rows into the cells of a count model: the figure itself (cell ''), one cell per value of each slice, and one cell per
  reason of exclusion. Input rows carry kpi_id, unit_code, day, numerator, denominator, excluded_reason, excluded and the
  slices; a slice that does not apply to a KPI is null there, an unknown value is 'unknown'.
-#}
{% macro cells(rows, slices=[]) -%}
counted_cell as (
    select
        kpi_id,
        unit_code,
        day,
        case
            {%- for slice in slices %}
            when grouping({{ slice }}) = 0 then '{{ slice }}:' || {{ slice }}
            {%- endfor %}
            when grouping(excluded_reason) = 0 then 'excluded:' || excluded_reason
            else ''
        end as cell,
        case when grouping(excluded_reason) = 0 then sum(excluded) else sum(numerator) end as numerator,
        case when grouping(excluded_reason) = 0 then 0 else sum(denominator) end as denominator
    from {{ rows }}
    group by grouping sets (
        (kpi_id, unit_code, day),
        {%- for slice in slices %}
        (kpi_id, unit_code, day, {{ slice }}),
        {%- endfor %}
        (kpi_id, unit_code, day, excluded_reason)
    )
),

cell as (
    select
        kpi_id,
        unit_code,
        day,
        cell,
        cast(numerator as bigint) as numerator,
        cast(denominator as bigint) as denominator
    from counted_cell
    where cell is not null and (numerator <> 0 or denominator <> 0)
)
{%- endmacro %}
