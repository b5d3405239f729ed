{#- What each series is: one KPI, slice and unit, with the words that its published rows carry. -#}
with series as (
    select distinct
        series_id,
        kpi_id,
        slice,
        unit_code
    from {{ ref('int_kpi_link') }}
)

select
    series.series_id,
    scope.scope_id,
    series.kpi_id,
    series.slice,
    series.unit_code,
    dim_unit.unit_name,
    dim_unit.unit_level,
    {{ day_number('dim_unit.valid_from') }} as unit_first_no,
    {{ day_number("coalesce(dim_unit.valid_to, cast('9999-12-31' as date))") }} as unit_end_no,
    catalogue.product,
    catalogue.kpi_name_zh,
    catalogue.kpi_name_en,
    catalogue.unit_role,
    catalogue.basis,
    catalogue.kind,
    catalogue.time_rule,
    cast(catalogue.value_scale as double) as value_scale,
    case
        when catalogue.kind = 'proportion' then {{ method_no('share') }}
        {#- Fractions of a point are no events: what adds up to tenths has no Poisson spread. #}
        when catalogue.kind = 'count' and catalogue.value_scale < 1 then {{ method_no('other') }}
        when catalogue.kind in ('count', 'rate', 'ratio') and catalogue.time_rule <> 'last' then {{ method_no('count') }}
        else {{ method_no('other') }}
    end as method_no,
    catalogue.kind = 'count' as is_count,
    catalogue.time_rule = 'exposure' as has_entity_days,
    coalesce(catalogue.numerator_unit in ({{ recorded_units() }}), false) as is_recorded,
    horizon.least_cases
from series
inner join {{ ref('kpi_catalogue') }} as catalogue on series.kpi_id = catalogue.kpi_id
left join {{ ref('cohort_horizon') }} as horizon on series.kpi_id = horizon.kpi_id
inner join {{ ref('dim_unit') }} as dim_unit on series.unit_code = dim_unit.unit_code
inner join (select distinct scope_id, kpi_id, root_code from {{ ref('int_kpi_period') }}) as scope
    on series.kpi_id = scope.kpi_id and dim_unit.root_code = scope.root_code
