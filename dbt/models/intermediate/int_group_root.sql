{#- The unit at the top of each group; a group with several roots, or none, gets a root of its own name for what belongs to none of them. -#}
with enabled_group as (
    select distinct group_name from {{ source('control', 'source') }}
),

root_unit as (
    select
        group_name,
        unit_code
    from {{ ref('stg_unit') }}
    where parent_code is null
    union
    select
        group_name,
        unit_code
    from {{ ref('unit_open_data') }}
    where parent_code is null
),

group_with_one_root as (
    select
        group_name,
        min(unit_code) as root_code
    from root_unit
    group by group_name
    having count(*) = 1
)

select
    enabled_group.group_name,
    coalesce(group_with_one_root.root_code, enabled_group.group_name) as root_code,
    group_with_one_root.root_code is null as is_stand_in
from enabled_group
left join group_with_one_root on enabled_group.group_name = group_with_one_root.group_name
