{#- Call forms that are deleted as of the night, with the unit and day that they would have counted on. -#}
{{ deleted_state('incident') }},

dated_form as (
    select
        deleted_rows.*,
        cast(deleted_rows.reported_at as date) as day
    from deleted_rows
)

select
    dated_form.group_name,
    {{ leaf_unit() }} as unit_code,
    dated_form.day,
    dated_form.row_count
from dated_form
cross join night
{{ join_leaf_unit('dated_form') }}
{{ join_group_root('dated_form') }}
where dated_form.day <= night.as_of
