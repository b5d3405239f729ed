{#- What was counted of every KPI, unit and month, as one number that differs when any row does: how a build finds what to compute again. -#}
select
    fct_kpi_count.kpi_id,
    fct_kpi_count.unit_code,
    {{ month_number('fct_kpi_count.day') }} as month_no,
    {{ rows_content(['fct_kpi_count.day', 'fct_kpi_count.cell', 'fct_kpi_count.numerator', 'fct_kpi_count.denominator']) }} as content
from {{ ref('fct_kpi_count') }} as fct_kpi_count
cross join {{ source('control', 'night') }} as night
where fct_kpi_count.day <= night.as_of
group by fct_kpi_count.kpi_id, fct_kpi_count.unit_code, {{ month_number('fct_kpi_count.day') }}
