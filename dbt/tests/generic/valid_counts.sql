{#-
  Counts are additive only if every one names a known KPI, a leaf unit, a day up to the night and a declared cell, and is not
  negative. Counts alike in KPI, unit and kind of cell are judged together.
-#}
{% test valid_counts(model) %}
{{- waits_for('int_kpi_count_month') }}
with counted as (
    select
        kpi_id,
        unit_code,
        split_part(cell, ':', 1) as cell_kind,
        count(*) as row_count,
        min(day) as first_day,
        max(day) as last_day,
        min(case when day is null or cell is null or numerator is null or denominator is null then 0 else 1 end) = 1 as is_complete,
        min(numerator) as least_numerator,
        min(denominator) as least_denominator,
        max(numerator - denominator) as most_above_denominator
    from {{ rows_tested(model) }}
    group by kpi_id, unit_code, split_part(cell, ':', 1)
),

judged as (
    select
        counted.*,
        case
            when catalogue.kpi_id is null then 'unknown KPI'
            when dim_unit.unit_code is null then 'unknown unit'
            when not dim_unit.is_leaf then 'unit has units below it'
            when not counted.is_complete then 'day, cell, numerator or denominator is missing'
            when counted.last_day > night.as_of then 'after the night'
            when counted.cell_kind <> ''
                and '|' || coalesce(catalogue.cell_kinds, '') || '|' not like '%|' || counted.cell_kind || '|%'
                then 'cell is not declared for this KPI'
            when counted.least_numerator < 0 then 'numerator below zero'
            when counted.least_denominator < 0 then 'denominator below zero'
            when catalogue.kind = 'proportion' and counted.cell_kind = '' and counted.most_above_denominator > 0
                then 'more than the whole'
        end as problem
    from counted
    left join {{ ref('kpi_catalogue') }} as catalogue on counted.kpi_id = catalogue.kpi_id
    left join {{ ref('dim_unit') }} as dim_unit on counted.unit_code = dim_unit.unit_code
    cross join {{ source('control', 'night') }} as night
)

select
    kpi_id,
    unit_code,
    cell_kind,
    first_day,
    last_day,
    row_count,
    problem
from judged
where problem is not null
{% endtest %}
