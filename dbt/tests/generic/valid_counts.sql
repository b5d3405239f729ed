{#- Counts are additive only if every one names a known KPI, a leaf unit, a day up to the night and a declared cell, and is not negative. -#}
{% test valid_counts(model) %}
select *
from (
    select
        counted.kpi_id,
        counted.unit_code,
        counted.day,
        counted.cell,
        counted.numerator,
        counted.denominator,
        case
            when catalogue.kpi_id is null then 'unknown KPI'
            when dim_unit.unit_code is null then 'unknown unit'
            when not dim_unit.is_leaf then 'unit has units below it'
            when counted.day is null then 'no day'
            when counted.day > night.as_of then 'after the night'
            when counted.cell is null then 'no cell'
            when counted.cell <> ''
                and '|' || coalesce(catalogue.cell_kinds, '') || '|' not like '%|' || split_part(counted.cell, ':', 1) || '|%'
                then 'cell is not declared for this KPI'
            when counted.numerator is null or counted.numerator < 0 then 'numerator below zero'
            when counted.denominator is null or counted.denominator < 0 then 'denominator below zero'
            when catalogue.kind = 'proportion' and counted.cell = '' and counted.numerator > counted.denominator
                then 'more than the whole'
        end as problem
    from {{ model }} as counted
    left join {{ ref('kpi_catalogue') }} as catalogue on counted.kpi_id = catalogue.kpi_id
    left join {{ ref('dim_unit') }} as dim_unit on counted.unit_code = dim_unit.unit_code
    cross join {{ source('control', 'night') }} as night
) as judged
where problem is not null
{% endtest %}
