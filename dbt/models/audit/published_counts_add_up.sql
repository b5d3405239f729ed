{#- I8: what is wrong where the published counts of a unit are to be the sum of those of the units directly below it, because that set never changed. -#}
{{ config(materialized='view') }}
with direct_link as (
    select
        unit_code,
        ancestor_code,
        valid_from = {{ first_moment() }} and valid_to = {{ last_moment() }} as is_permanent
    from {{ ref('unit_ancestor') }}
    where distance = 1
),

parent_with_constant_children as (
    select ancestor_code
    from direct_link
    group by ancestor_code
    having min(case when is_permanent then 1 else 0 end) = 1
),

series_above as (
    select
        child.series_id,
        parent.series_id as parent_id
    from {{ ref('int_kpi_series') }} as child
    inner join direct_link as link on child.unit_code = link.unit_code
    inner join parent_with_constant_children as constant on link.ancestor_code = constant.ancestor_code
    inner join {{ ref('int_kpi_series') }} as parent
        on link.ancestor_code = parent.unit_code and child.kpi_id = parent.kpi_id and child.slice = parent.slice
    where child.time_rule <> 'last'
),

sum_of_children as (
    select
        series_above.parent_id,
        child.period_key,
        sum(child.numerator) as numerator,
        sum(child.denominator) as denominator
    from {{ ref('int_kpi_figure') }} as child
    inner join series_above on child.series_id = series_above.series_id
    group by series_above.parent_id, child.period_key
)

select
    series.kpi_id,
    series.unit_code,
    series.slice,
    period.grain,
    period.part,
    period.period_end,
    parent.numerator,
    sum_of_children.numerator as sum_of_numerators,
    parent.denominator,
    sum_of_children.denominator as sum_of_denominators
from {{ ref('int_kpi_figure') }} as parent
inner join sum_of_children on parent.series_id = sum_of_children.parent_id and parent.period_key = sum_of_children.period_key
inner join {{ ref('int_kpi_series') }} as series on parent.series_id = series.series_id
inner join {{ ref('int_kpi_period') }} as period on parent.period_key = period.period_key
where
    coalesce(parent.numerator, 0) <> coalesce(sum_of_children.numerator, 0)
    or coalesce(parent.denominator, 0) <> coalesce(sum_of_children.denominator, 0)
