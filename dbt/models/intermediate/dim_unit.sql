{#- One row per unit, as it stood last. -#}
with ranked_version as (
    select
        *,
        row_number() over (partition by unit_code order by placed_from desc) as version_rank,
        min(valid_from) over (partition by unit_code) as first_valid_from
    from {{ ref('int_unit_version') }}
),

ranked_ancestor as (
    select
        unit_code,
        ancestor_code,
        distance,
        row_number() over (partition by unit_code order by valid_from desc, distance desc) as ancestor_rank
    from {{ ref('unit_ancestor') }}
)

select
    version.unit_code,
    version.unit_name,
    version.unit_level,
    version.parent_code,
    root.ancestor_code as root_code,
    root.distance as depth,
    version.group_name,
    version.is_leaf,
    version.is_pseudo,
    version.first_valid_from as valid_from,
    nullif(version.valid_to, {{ last_moment() }}) as valid_to
from ranked_version as version
inner join ranked_ancestor as root on version.unit_code = root.unit_code and root.ancestor_rank = 1
where version.version_rank = 1
