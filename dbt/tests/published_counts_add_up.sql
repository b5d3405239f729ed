{#- I8: the published counts of a unit are the sum of those of the units directly below it, where that set never changed. -#}
{{ config(meta={
    'severity': 'block',
    'owner': 'data office',
    'action': 'City, counties and stations no longer add up. Check unit_ancestor and how kpi sums over it.'
}) }}

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

sum_of_children as (
    select
        child.kpi_id,
        link.ancestor_code as unit_code,
        child.slice,
        child.grain,
        child.period_end,
        sum(child.numerator) as numerator,
        sum(child.denominator) as denominator
    from {{ ref('kpi') }} as child
    inner join direct_link as link on child.unit_code = link.unit_code
    inner join parent_with_constant_children as parent on link.ancestor_code = parent.ancestor_code
    inner join {{ ref('kpi_catalogue') }} as catalogue on child.kpi_id = catalogue.kpi_id and catalogue.time_rule <> 'last'
    group by child.kpi_id, link.ancestor_code, child.slice, child.grain, child.period_end
)

select
    parent.kpi_id,
    parent.unit_code,
    parent.slice,
    parent.grain,
    parent.period_end,
    parent.numerator,
    sum_of_children.numerator as sum_of_numerators,
    parent.denominator,
    sum_of_children.denominator as sum_of_denominators
from {{ ref('kpi') }} as parent
inner join sum_of_children
    on
        parent.kpi_id = sum_of_children.kpi_id
        and parent.unit_code = sum_of_children.unit_code
        and parent.slice = sum_of_children.slice
        and parent.grain = sum_of_children.grain
        and parent.period_end = sum_of_children.period_end
where
    coalesce(parent.numerator, 0) <> coalesce(sum_of_children.numerator, 0)
    or coalesce(parent.denominator, 0) <> coalesce(sum_of_children.denominator, 0)
