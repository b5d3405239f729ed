{#-
  Exposure: how many registered things of some kinds were valid, and their whole size, for every leaf unit and day. Makes the CTEs of
  a `with` that end in `name` (group_name, kind, category, unit_code, day, entries, size).

  `observed` is a relation or CTE (group_name, first_day): the days counted begin with the first of a group and end with the night,
  since a register is older than what is counted against it. A group that is not in it has no days.
-#}
{% macro register_days(name, kinds, observed) -%}
{{ name }}_span as (
    select
        entry.group_name,
        entry.kind,
        entry.category,
        entry.unit_code,
        entry.size,
        {{ day_number('greatest(entry.valid_from, observed.first_day)') }} as first_no,
        {{ day_number('least(coalesce(entry.valid_to, ' ~ last_moment() ~ '), ' ~ add_days('night.as_of', 1) ~ ')') }} as end_no
    from {{ ref('stg_register_entry') }} as entry
    inner join {{ observed }} as observed on entry.group_name = observed.group_name
    cross join {{ source('control', 'night') }} as night
    where entry.kind in ({% for kind in kinds %}'{{ kind }}'{% if not loop.last %}, {% endif %}{% endfor %})
),

{{ name }}_change as (
    select
        group_name,
        kind,
        category,
        unit_code,
        day_no,
        sum(entries) as entries,
        sum(size) as size
    from (
        select group_name, kind, category, unit_code, first_no as day_no, 1 as entries, coalesce(size, 0) as size
        from {{ name }}_span
        where first_no < end_no
        union all
        select group_name, kind, category, unit_code, end_no as day_no, -1 as entries, -coalesce(size, 0) as size
        from {{ name }}_span
        where first_no < end_no
    ) as change_of_entry
    group by group_name, kind, category, unit_code, day_no
),

{{ name }}_level as (
    select
        group_name,
        kind,
        category,
        unit_code,
        day_no as first_no,
        lead(day_no) over changes - 1 as last_no,
        sum(entries) over changes as entries,
        sum(size) over changes as size
    from {{ name }}_change
    window changes as (partition by group_name, kind, category, unit_code order by day_no)
),

{{ name }}_day_no as (
    select
        group_name,
        kind,
        category,
        unit_code,
        entries,
        size,
        {{ each_number('first_no', 'last_no') }} as day_no
    from {{ name }}_level
    where entries > 0
),

{{ name }}_delivered as (
    select
        group_name,
        kind,
        category,
        unit_code,
        entries,
        size,
        {{ day_from_number('day_no') }} as day
    from {{ name }}_day_no
),

{{ name }} as (
    select
        {{ name }}_delivered.group_name,
        {{ name }}_delivered.kind,
        {{ name }}_delivered.category,
        {{ leaf_unit() }} as unit_code,
        {{ name }}_delivered.day,
        cast(sum({{ name }}_delivered.entries) as bigint) as entries,
        cast(sum({{ name }}_delivered.size) as bigint) as size
    from {{ name }}_delivered
    {{ join_leaf_unit(name ~ '_delivered') }}
    {{ join_group_root(name ~ '_delivered') }}
    group by
        {{ name }}_delivered.group_name,
        {{ name }}_delivered.kind,
        {{ name }}_delivered.category,
        {{ leaf_unit() }},
        {{ name }}_delivered.day
)
{%- endmacro %}
