{#- What was counted of every KPI, unit and month, as one number that differs when any row does: how a build finds what to compute again. And the days it reaches from and to. -#}
select
    fct_kpi_count.kpi_id,
    fct_kpi_count.unit_code,
    {{ month_number('fct_kpi_count.day') }} as month_no,
    min(fct_kpi_count.day) as first_day,
    max(fct_kpi_count.day) as last_day,
    {{ rows_content(['fct_kpi_count.day', 'fct_kpi_count.cell', 'fct_kpi_count.numerator', 'fct_kpi_count.denominator']) }} as content
from {{ ref('fct_kpi_count') }} as fct_kpi_count
cross join {{ source('control', 'night') }} as night
where fct_kpi_count.day <= night.as_of
group by fct_kpi_count.kpi_id, fct_kpi_count.unit_code, {{ month_number('fct_kpi_count.day') }}
