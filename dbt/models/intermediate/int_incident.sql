{#- Incidents with the units that own them, the day they count on, and the first reason, if any, why they are not effective. -#}
with dated_incident as (
    select
        incident.*,
        coalesce(incident.response_unit_code, incident.unit_code) as responding_code,
        cast(incident.reported_at as date) > night.as_of as is_future,
        least(cast(incident.reported_at as date), night.as_of) as day
    from {{ ref('stg_incident') }} as incident
    cross join {{ source('control', 'night') }} as night
)

select
    dated_incident.group_name,
    dated_incident.incident_id,
    dated_incident.source_id,
    dated_incident.record_key,
    dated_incident.batch_date,
    {{ leaf_unit('jurisdiction') }} as unit_code,
    {{ leaf_unit('responding') }} as response_unit_code,
    dated_incident.day,
    dated_incident.is_future,
    dated_incident.category_first,
    coalesce(dated_incident.category, 'unknown') as category,
    coalesce(dated_incident.channel, 'unknown') as channel,
    coalesce(dated_incident.place_kind, 'unknown') as place_kind,
    dated_incident.community_id,
    case
        when dated_incident.is_future then 'after_as_of'
        when dated_incident.is_invalid then 'invalid'
        when dated_incident.relation is not null then dated_incident.relation
        when dated_incident.is_consultation then 'consultation'
    end as ineffective_reason,
    dated_incident.relation is not null as is_related_call,
    coalesce(dated_incident.is_urgent, false) as is_urgent,
    dated_incident.dispatched_at is not null as is_dispatched,
    coalesce(dated_incident.is_returned, false) as is_returned,
    dated_incident.is_case,
    dated_incident.reported_at,
    dated_incident.received_at,
    dated_incident.dispatched_at,
    dated_incident.arrived_at,
    dated_incident.closed_at,
    dated_incident.row_count
from dated_incident
{{ join_leaf_unit('dated_incident', alias='jurisdiction') }}
{{ join_leaf_unit('dated_incident', 'responding_code', alias='responding') }}
{{ join_group_root('dated_incident') }}
