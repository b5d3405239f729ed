{#-
  Every unit with the days on which its name, level and parent held: delivered, seeded, and the pseudo units that make sums exact.

  valid_from and valid_to (not included) say when the unit may own events. placed_from and placed_to say which parent counts on
  a day; they cover all time without gap or overlap, so that no event is lost on its way up.
-#}
with delivered_unit as (
    select
        group_name,
        unit_code,
        unit_name,
        parent_code,
        unit_level,
        valid_from,
        coalesce(valid_to, {{ last_moment() }}) as valid_to,
        successor_code,
        source_id
    from {{ ref('stg_unit') }}
    union all
    select
        seeded.group_name,
        seeded.unit_code,
        seeded.unit_name,
        seeded.parent_code,
        seeded.unit_level,
        seeded.valid_from,
        {{ last_moment() }} as valid_to,
        null as successor_code,
        'seed' as source_id
    from {{ ref('unit_open_data') }} as seeded
    inner join {{ ref('int_group_root') }} as group_root on seeded.group_name = group_root.group_name
),

stand_in_root as (
    select
        group_name,
        root_code as unit_code,
        '无单一根单位 no single root: ' || group_name as unit_name,
        null as parent_code,
        'city' as unit_level,
        {{ first_moment() }} as valid_from,
        {{ last_moment() }} as valid_to,
        null as successor_code,
        'stand-in' as source_id
    from {{ ref('int_group_root') }}
    where is_stand_in
),

known_code as (
    select distinct
        group_name,
        unit_code
    from delivered_unit
),

unit_with_known_parent as (
    select
        delivered_unit.group_name,
        delivered_unit.unit_code,
        delivered_unit.unit_name,
        case
            when delivered_unit.parent_code is null then null
            when known_code.unit_code is null then group_root.root_code
            else delivered_unit.parent_code
        end as parent_code,
        delivered_unit.unit_level,
        delivered_unit.valid_from,
        delivered_unit.valid_to,
        delivered_unit.successor_code,
        delivered_unit.source_id
    from delivered_unit
    inner join {{ ref('int_group_root') }} as group_root on delivered_unit.group_name = group_root.group_name
    left join known_code
        on delivered_unit.group_name = known_code.group_name and delivered_unit.parent_code = known_code.unit_code
    union all
    select * from stand_in_root
),

ranked_version as (
    select
        *,
        row_number() over (partition by unit_code, valid_from order by source_id, unit_name) as rank_on_day
    from unit_with_known_parent
),

placed_version as (
    select
        group_name,
        unit_code,
        unit_name,
        parent_code,
        unit_level,
        valid_from,
        least(valid_to, coalesce(lead(valid_from) over (partition by unit_code order by valid_from), valid_to)) as valid_to,
        case
            when row_number() over (partition by unit_code order by valid_from) = 1 then {{ first_moment() }} else valid_from
        end as placed_from,
        coalesce(lead(valid_from) over (partition by unit_code order by valid_from), {{ last_moment() }}) as placed_to,
        successor_code
    from ranked_version
    where rank_on_day = 1
),

branch as (
    select unit_code from placed_version where parent_code is null
    union
    select parent_code as unit_code from placed_version where parent_code is not null
)

select
    placed_version.group_name,
    placed_version.unit_code,
    placed_version.unit_name,
    placed_version.parent_code,
    placed_version.unit_level,
    placed_version.valid_from,
    placed_version.valid_to,
    placed_version.placed_from,
    placed_version.placed_to,
    placed_version.successor_code,
    branch.unit_code is null as is_leaf,
    false as is_pseudo
from placed_version
left join branch on placed_version.unit_code = branch.unit_code

union all

select
    placed_version.group_name,
    placed_version.unit_code || '.self' as unit_code,
    placed_version.unit_name || ' · 本级 own' as unit_name,
    placed_version.unit_code as parent_code,
    'self' as unit_level,
    placed_version.valid_from,
    placed_version.valid_to,
    placed_version.placed_from,
    placed_version.placed_to,
    null as successor_code,
    true as is_leaf,
    true as is_pseudo
from placed_version
inner join branch on placed_version.unit_code = branch.unit_code

union all

select
    group_name,
    unit_code || '.unassigned' as unit_code,
    max(unit_name) || ' · 未归属 unassigned' as unit_name,
    unit_code as parent_code,
    'unassigned' as unit_level,
    {{ first_moment() }} as valid_from,
    {{ last_moment() }} as valid_to,
    {{ first_moment() }} as placed_from,
    {{ last_moment() }} as placed_to,
    null as successor_code,
    true as is_leaf,
    true as is_pseudo
from placed_version
where parent_code is null
group by group_name, unit_code
