{#-
  Incidents with the units that own them, the day they count on, the first reason, if any, why they are not effective, and whether their
  category was another when their month was over (null: they were delivered later; without a key nothing is restated).
-#}
{{ config(materialized=kept_table(), meta={'rows_of': 'incident', 'dated_by': 'reported_at'}) }}
with dated_incident as (
    select
        incident.*,
        coalesce(incident.response_unit_code, incident.unit_code) as responding_code,
        cast(incident.reported_at as date) > night.as_of as is_future,
        least(cast(incident.reported_at as date), night.as_of) as day,
        {{ dbt.last_day('incident.reported_at', 'month') }} as month_end
    from {{ states_redone('incident', 'reported_at') }} as incident
    cross join {{ source('control', 'night') }} as night
),

state_in_month as (
    select
        dated_incident.source_id,
        dated_incident.record_key,
        coalesce(pool_row.category, 'unknown') as category,
        row_number() over (
            partition by dated_incident.source_id, dated_incident.record_key
            order by pool_row.record_version desc nulls last, pool_row.batch_date desc, pool_row.file_name desc, pool_row.row_number desc
        ) as state_rank
    from dated_incident
    inner join {{ source('pool', 'incident') }} as pool_row
        on dated_incident.source_id = pool_row.source_id and dated_incident.record_key = pool_row.record_key
    cross join {{ source('control', 'night') }} as night
    where pool_row.batch_date <= dated_incident.month_end and pool_row.batch_date <= night.as_of
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
    case
        when dated_incident.record_key is not null then state_in_month.category <> coalesce(dated_incident.category, 'unknown')
        when dated_incident.batch_date <= dated_incident.month_end then false
    end as is_changed_late,
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
left join state_in_month
    on
        dated_incident.source_id = state_in_month.source_id
        and dated_incident.record_key = state_in_month.record_key
        and state_in_month.state_rank = 1
