{{ config(materialized='view') }}
{#- The published figures in words: numbers, series and periods side by side. A view, so that millions of rows do not repeat their names. -#}
select
    series.product,
    series.kpi_id,
    series.kpi_name_zh,
    series.kpi_name_en,
    series.unit_code,
    series.unit_name,
    series.unit_level,
    series.unit_role,
    series.basis,
    case when period.part = '' then series.slice else period.part end as slice,
    period.grain,
    period.period_start,
    period.period_end,
    period.is_complete,
    figure.numerator,
    figure.denominator,
    figure.value,
    figure.lower95,
    figure.upper95
    {%- for side in ['yoy', 'pop'] %},
    figure.{{ side }}_value,
    figure.{{ side }}_ratio,
    figure.{{ side }}_lower95,
    figure.{{ side }}_upper95,
    figure.{{ side }}_z,
    {{ verdict_text('figure.' ~ side ~ '_call') }} as {{ side }}_verdict
    {%- endfor %},
    figure.is_broken or period.yoy_is_torn or period.pop_is_torn as series_break,
    false as suppressed,
    false as stale,
    night.as_of,
    cast(null as {{ dbt.type_string() }}) as origin_release
from {{ ref('int_kpi_figure') }} as figure
inner join {{ ref('int_kpi_series') }} as series on figure.series_id = series.series_id
inner join {{ ref('int_kpi_period') }} as period on figure.period_key = period.period_key
cross join {{ source('control', 'night') }} as night
