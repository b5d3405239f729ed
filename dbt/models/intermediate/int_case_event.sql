{#- Events of cases up to the night, with what each kind means, owned by the unit that filed the case, else by the unit of the event. -#}
with dated_event as (
    select
        event.group_name,
        event.case_id,
        event.event,
        event.unit_code as event_unit_code,
        cast(event.happened_at as date) > night.as_of as is_future,
        least(cast(event.happened_at as date), night.as_of) as day,
        event.row_count
    from {{ ref('stg_case_event') }} as event
    cross join {{ source('control', 'night') }} as night
),

filed_case as (
    select
        group_name,
        case_id,
        unit_code,
        case_kind,
        is_major
    from {{ ref('int_case') }}
    where case_id is not null and (excluded_reason is null or excluded_reason <> 'duplicate_case')
),

owned_event as (
    select
        dated_event.group_name,
        dated_event.case_id,
        coalesce(filed_case.unit_code, {{ leaf_unit() }}) as unit_code,
        coalesce(filed_case.case_kind, 'criminal') as case_kind,
        coalesce(filed_case.is_major, false) as is_major,
        dated_event.event,
        dated_event.day,
        dated_event.is_future,
        role.clears,
        role.closes_otherwise,
        role.exits,
        role.administrative_outcome,
        max(case when dated_event.event = 'transferred_in' then dated_event.day end)
            over (partition by dated_event.group_name, dated_event.case_id) as last_transferred_in_on,
        dated_event.row_count
    from dated_event
    inner join {{ ref('case_event_role') }} as role on dated_event.event = role.event
    left join filed_case
        on dated_event.group_name = filed_case.group_name and dated_event.case_id = filed_case.case_id
    {{ join_leaf_unit('dated_event', 'event_unit_code') }}
    {{ join_group_root('dated_event') }}
)

select
    owned_event.group_name,
    owned_event.case_id,
    owned_event.unit_code,
    dim_unit.root_code,
    owned_event.case_kind,
    owned_event.is_major,
    owned_event.event,
    owned_event.day,
    owned_event.is_future,
    owned_event.clears,
    owned_event.closes_otherwise,
    {#- a transfer out that is followed by a transfer in stays inside the city -#}
    owned_event.exits
    and not (
        owned_event.event = 'transferred_out' and owned_event.day <= coalesce(owned_event.last_transferred_in_on, {{ first_moment() }})
    ) as exits,
    owned_event.administrative_outcome,
    owned_event.row_count
from owned_event
inner join {{ ref('dim_unit') }} as dim_unit on owned_event.unit_code = dim_unit.unit_code
