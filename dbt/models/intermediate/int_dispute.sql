{#-
  Disputes, resolved before anything is counted: the call centre, the station and the justice bureau may each have recorded one.

  Records of one incident (its first record with known parties says whose), or of the same parties opened within 7 days of each other,
  belong together; within them the n-th record of every recording body is one dispute. The record that closed first speaks for it, the
  earliest deadline binds it. Records that are not the speaking one carry a reason of exclusion. unit_code is as delivered: its leaf
  depends on the day counted.
-#}
{% set same_dispute_days = 7 -%}
with dated_record as (
    select
        mediation.*,
        coalesce(mediation.origin, mediation.source_id) as recorded_by,
        least(cast(mediation.opened_at as date), night.as_of) as day,
        cast(mediation.opened_at as date) > night.as_of as is_future,
        case when cast(mediation.closed_at as date) <= night.as_of then mediation.closed_at end as known_closed_at,
        case when mediation.incident_id is null then mediation.dispute_id end as own_identity
    from {{ ref('stg_mediation') }} as mediation
    cross join {{ source('control', 'night') }} as night
),

ordered_record as (
    select
        dated_record.*,
        row_number() over (
            partition by group_name, incident_id, own_identity
            order by case when parties_key is null then 1 else 0 end, opened_at, source_id, dispute_id
        ) as place_in_incident
    from dated_record
),

record_of_incident as (
    select
        ordered_record.*,
        min(opened_at) over (partition by group_name, incident_id, own_identity) as anchored_at,
        max(case when place_in_incident = 1 then parties_key end) over (partition by group_name, incident_id, own_identity) as parties
    from ordered_record
),

record_of_thread as (
    select
        record_of_incident.*,
        coalesce('parties ' || parties, 'incident ' || incident_id, 'dispute ' || own_identity) as thread
    from record_of_incident
),

record_after_another as (
    select
        record_of_thread.*,
        lag(anchored_at) over (partition by group_name, thread order by anchored_at, opened_at, source_id, dispute_id) as previous_at
    from record_of_thread
),

record_in_episode as (
    select
        record_after_another.*,
        sum(case when {{ days_between('previous_at', 'anchored_at') }} <= {{ same_dispute_days }} then 0 else 1 end) over (
            partition by group_name, thread
            order by anchored_at, opened_at, source_id, dispute_id
            rows between unbounded preceding and current row
        ) as episode
    from record_after_another
),

record_of_dispute as (
    select
        record_in_episode.*,
        row_number() over (
            partition by group_name, thread, episode, recorded_by
            order by anchored_at, opened_at, source_id, dispute_id
        ) as place_in_episode
    from record_in_episode
),

ranked_record as (
    select
        record_of_dispute.*,
        min(opened_at) over (partition by group_name, thread, episode, place_in_episode) as dispute_opened_at,
        min(due_at) over (partition by group_name, thread, episode, place_in_episode) as dispute_due_at,
        row_number() over (
            partition by group_name, thread, episode, place_in_episode
            order by known_closed_at nulls last, opened_at, source_id, dispute_id
        ) as record_rank
    from record_of_dispute
)

select
    ranked_record.group_name,
    ranked_record.unit_code,
    ranked_record.parties,
    coalesce(ranked_record.kind, 'unknown') as dispute_kind,
    ranked_record.day as opened_on,
    ranked_record.dispute_opened_at as opened_at,
    ranked_record.dispute_due_at as due_at,
    ranked_record.known_closed_at as closed_at,
    case when ranked_record.known_closed_at is not null then coalesce(ranked_record.result, 'unknown') end as result,
    case
        when ranked_record.is_future then 'after_as_of'
        when ranked_record.record_rank > 1 then 'duplicate_dispute'
    end as excluded_reason,
    ranked_record.row_count
from ranked_record
