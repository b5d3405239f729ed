{#- On every day a unit stands under exactly one unit at each distance, up to one root: what makes sums over units add up. -#}
{% test one_way_up(model) %}
with step as (
    select
        link.unit_code,
        link.distance,
        link.valid_from,
        link.valid_to,
        lead(link.valid_from) over (partition by link.unit_code, link.distance order by link.valid_from) as next_from
    from {{ model }} as link
),

covered as (
    select
        unit_code,
        min(valid_from) as first_from,
        max(valid_to) as last_to
    from {{ model }}
    where distance = 0
    group by unit_code
)

select
    unit_code,
    'two units above at once' as problem
from step
where next_from < valid_to
union all
select
    unit_code,
    'days without a place' as problem
from step
where distance = 0 and next_from > valid_to
union all
select
    unit_code,
    'not placed over all time' as problem
from covered
where first_from > {{ first_moment() }} or last_to < {{ last_moment() }}
union all
select
    unit_code,
    'does not reach a root' as problem
from (
    select
        link.unit_code,
        max(case when above.parent_code is null then 1 else 0 end) as reaches_root
    from {{ model }} as link
    inner join {{ ref('dim_unit') }} as above on link.ancestor_code = above.unit_code
    group by link.unit_code
) as reached
where reaches_root = 0
{% endtest %}
