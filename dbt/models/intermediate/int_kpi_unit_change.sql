{#-
  Days on which figures of a unit stop being comparable: its make-up changed, or (with a role) it took a responsibility over or gave it away.
-#}
with leaf_link as (
    select
        link.unit_code as leaf_code,
        link.ancestor_code as unit_code,
        link.valid_from,
        link.valid_to
    from {{ ref('unit_ancestor') }} as link
    inner join {{ ref('dim_unit') }} as dim_unit on link.unit_code = dim_unit.unit_code and dim_unit.is_leaf
),

{#-
  Days on which the make-up of a unit changed: a leaf that lives on came under it or left it, it took another unit over or lost one to an heir
  that stands elsewhere, or it opened or closed itself: then the period around has fewer days of it than others.
#}
boundary_change as (
    select
        link.unit_code,
        link.valid_from as changed_on
    from leaf_link as link
    inner join leaf_link as own
        on
            link.leaf_code = own.leaf_code
            and own.leaf_code = own.unit_code
            and own.valid_from < link.valid_from
            and own.valid_to >= link.valid_from
    left join leaf_link as before
        on link.leaf_code = before.leaf_code and link.unit_code = before.unit_code and link.valid_from = before.valid_to
    where before.leaf_code is null
    union
    select
        link.unit_code,
        link.valid_to as changed_on
    from leaf_link as link
    inner join leaf_link as own
        on
            link.leaf_code = own.leaf_code
            and own.leaf_code = own.unit_code
            and own.valid_from <= link.valid_to
            and own.valid_to > link.valid_to
    left join leaf_link as after
        on link.leaf_code = after.leaf_code and link.unit_code = after.unit_code and link.valid_to = after.valid_from
    where after.leaf_code is null
    union
    select
        heir_link.unit_code,
        heir.valid_from as changed_on
    from {{ ref('int_unit_assignment') }} as heir
    inner join leaf_link as heir_link
        on heir.leaf_code = heir_link.leaf_code and heir.valid_from >= heir_link.valid_from and heir.valid_from < heir_link.valid_to
    left join {{ ref('unit_ancestor') }} as former
        on
            heir.unit_code = former.unit_code
            and heir_link.unit_code = former.ancestor_code
            and heir.valid_from > former.valid_from
            and heir.valid_from <= former.valid_to
    where heir.leaf_code not in (heir.unit_code, heir.unit_code || '.self') and former.unit_code is null
    union
    select
        former.ancestor_code as unit_code,
        heir.valid_from as changed_on
    from {{ ref('int_unit_assignment') }} as heir
    inner join {{ ref('unit_ancestor') }} as former
        on heir.unit_code = former.unit_code and heir.valid_from > former.valid_from and heir.valid_from <= former.valid_to
    left join leaf_link as heir_link
        on
            heir.leaf_code = heir_link.leaf_code
            and former.ancestor_code = heir_link.unit_code
            and heir.valid_from >= heir_link.valid_from
            and heir.valid_from < heir_link.valid_to
    where heir.leaf_code not in (heir.unit_code, heir.unit_code || '.self') and heir_link.leaf_code is null
    {%- for day in ['valid_from', 'valid_to'] %}
    union
    select
        unit_code,
        {{ day }} as changed_on
    from {{ ref('dim_unit') }}
    where {{ day }} is not null
    {%- endfor %}
)

select
    unit_code,
    changed_on,
    cast(null as {{ dbt.type_string() }}) as role
from boundary_change
union all
select
    unit_code,
    changed_on,
    role
from {{ ref('int_role_change') }}
