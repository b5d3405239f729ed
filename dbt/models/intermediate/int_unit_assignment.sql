{#- Which leaf a delivered unit code means on which days: itself, its 本级 when it has units below, or the unit that took over. -#}
{% set longest_succession = 3 -%}
with own_days as (
    select
        group_name,
        unit_code,
        case when is_leaf then unit_code else unit_code || '.self' end as leaf_code,
        valid_from,
        valid_to,
        successor_code
    from {{ ref('int_unit_version') }}
    where not is_pseudo
),

last_day as (
    select
        unit_code,
        max(valid_to) as ends_on
    from own_days
    group by unit_code
),

succession_0 as (
    select
        own_days.group_name,
        own_days.unit_code,
        own_days.successor_code,
        own_days.valid_to as starts_on
    from own_days
    inner join last_day on own_days.unit_code = last_day.unit_code and own_days.valid_to = last_day.ends_on
    where own_days.successor_code is not null
)
{%- for step in range(1, longest_succession) %},

succession_{{ step }} as (
    select
        earlier.group_name,
        earlier.unit_code,
        later.successor_code,
        greatest(earlier.starts_on, later.starts_on) as starts_on
    from succession_{{ step - 1 }} as earlier
    inner join succession_0 as later on earlier.successor_code = later.unit_code
)
{%- endfor %},

succession as (
    {%- for step in range(longest_succession) %}
    {% if not loop.first %}union all {% endif %}select * from succession_{{ step }}
    {%- endfor %}
),

successor_days as (
    select
        succession.group_name,
        succession.unit_code,
        successor.leaf_code,
        greatest(succession.starts_on, successor.valid_from) as valid_from,
        successor.valid_to
    from succession
    inner join own_days as successor on succession.successor_code = successor.unit_code
    where successor.valid_to > succession.starts_on
)

select group_name, unit_code, leaf_code, valid_from, valid_to from own_days
union all
select group_name, unit_code, leaf_code, valid_from, valid_to from successor_days
