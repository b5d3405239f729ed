{#- Days on which a role went from one unit to another. Concerned is every unit that has one of the two below it (itself included), but not both. -#}
with moved as (
    select
        responsibility.role,
        responsibility.valid_from as changed_on,
        former.leaf_code as former_leaf,
        heir.leaf_code as heir_leaf
    from {{ ref('stg_responsibility') }} as responsibility
    {%- for side, unit in [('former', 'from_unit'), ('heir', 'to_unit')] %}
    left join {{ ref('int_unit_assignment') }} as {{ side }}
        on
            responsibility.group_name = {{ side }}.group_name
            and responsibility.{{ unit }} = {{ side }}.unit_code
            and responsibility.valid_from >= {{ side }}.valid_from
            and responsibility.valid_from < {{ side }}.valid_to
    {%- endfor %}
),

concerned as (
    {%- for side in ['former', 'heir'] %}
    {% if not loop.first %}union all {% endif -%}
    select
        moved.role,
        moved.changed_on,
        moved.former_leaf,
        moved.heir_leaf,
        unit_ancestor.ancestor_code as unit_code
    from moved
    inner join {{ ref('unit_ancestor') }} as unit_ancestor
        on
            moved.{{ side }}_leaf = unit_ancestor.unit_code
            and moved.changed_on >= unit_ancestor.valid_from
            and moved.changed_on < unit_ancestor.valid_to
    {%- endfor %}
),

one_sided as (
    select
        role,
        unit_code,
        changed_on
    from concerned
    group by role, unit_code, changed_on, former_leaf, heir_leaf
    having count(*) = 1
)

select distinct
    role,
    unit_code,
    changed_on
from one_sided
