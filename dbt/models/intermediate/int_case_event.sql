{#-
  Events of cases up to the night, with what each kind means. An event counts for the unit that filed the case, as that unit
  stands on the day of the event, and for its own unit where the pool does not know the case. What happened after the night, or
  to a case that was deleted, is left out.
-#}
with night as (
    select as_of from {{ source('control', 'night') }}
),

filed_case as (
    select
        group_name,
        case_id,
        filing_unit_code,
        case_kind,
        is_major
    from {{ ref('int_case') }}
    where case_id is not null and (excluded_reason is null or excluded_reason <> 'duplicate_case')
),

delivered_case as (
    select distinct
        source.group_name,
        pool_row.case_id
    from {{ source('pool', 'case') }} as pool_row
    inner join {{ source('control', 'source') }} as source on pool_row.source_id = source.source_id
    cross join night
    where pool_row.case_id is not null and pool_row.batch_date <= night.as_of
),

event_of_case as (
    select
        event.group_name,
        event.case_id,
        event.event,
        case when filed_case.case_id is null then event.unit_code else filed_case.filing_unit_code end as owning_unit_code,
        coalesce(filed_case.case_kind, 'criminal') as case_kind,
        coalesce(filed_case.is_major, false) as is_major,
        event.happened_at,
        least(cast(event.happened_at as date), night.as_of) as day,
        case
            when cast(event.happened_at as date) > night.as_of then 'after_as_of'
            when filed_case.case_id is null and delivered_case.case_id is not null then 'deleted_case'
        end as excluded_reason,
        event.row_count
    from {{ ref('stg_case_event') }} as event
    cross join night
    left join filed_case on event.group_name = filed_case.group_name and event.case_id = filed_case.case_id
    left join delivered_case on event.group_name = delivered_case.group_name and event.case_id = delivered_case.case_id
),

owned_event as (
    select
        event_of_case.*,
        {{ leaf_unit() }} as unit_code,
        max(case when event = 'transferred_in' and excluded_reason is null then day end)
            over (partition by event_of_case.group_name, case_id) as last_transferred_in_on
    from event_of_case
    {{ join_leaf_unit('event_of_case', 'owning_unit_code') }}
    {{ join_group_root('event_of_case') }}
)

select
    owned_event.group_name,
    owned_event.case_id,
    owned_event.unit_code,
    dim_unit.root_code,
    owned_event.case_kind,
    owned_event.is_major,
    owned_event.event,
    owned_event.happened_at,
    owned_event.day,
    owned_event.excluded_reason,
    role.clears,
    role.closes_otherwise,
    {#- a transfer out that is followed by a transfer in stays inside the city -#}
    role.exits
    and not (
        owned_event.event = 'transferred_out' and owned_event.day <= coalesce(owned_event.last_transferred_in_on, {{ first_moment() }})
    ) as exits,
    role.administrative_outcome,
    owned_event.row_count
from owned_event
inner join {{ ref('case_event_role') }} as role on owned_event.event = role.event
inner join {{ ref('dim_unit') }} as dim_unit on owned_event.unit_code = dim_unit.unit_code
