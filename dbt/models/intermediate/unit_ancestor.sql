{#- Every unit with itself and all units above it, over the days on which that held. Deepest chain: pseudo unit, squad, station, county, city. -#}
{% set deepest = 5 -%}
with step_0 as (
    select
        unit_code,
        unit_code as ancestor_code,
        parent_code as next_code,
        placed_from as valid_from,
        placed_to as valid_to
    from {{ ref('int_unit_version') }}
)
{%- for step in range(1, deepest + 1) %},

step_{{ step }} as (
    select
        below.unit_code,
        above.unit_code as ancestor_code,
        above.parent_code as next_code,
        greatest(below.valid_from, above.placed_from) as valid_from,
        least(below.valid_to, above.placed_to) as valid_to
    from step_{{ step - 1 }} as below
    inner join {{ ref('int_unit_version') }} as above
        on
            below.next_code = above.unit_code
            and below.valid_from < above.placed_to
            and above.placed_from < below.valid_to
)
{%- endfor %},

every_step as (
    {%- for step in range(deepest + 1) %}
    {% if not loop.first %}union all {% endif %}select unit_code, ancestor_code, valid_from, valid_to, {{ step }} as distance from step_{{ step }}
    {%- endfor %}
)

select
    unit_code,
    ancestor_code,
    valid_from,
    valid_to,
    distance
from every_step
