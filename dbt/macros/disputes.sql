{#-
  Disputes, resolved before anything is counted: the call centre, the station and the justice bureau may each have recorded one.

  Records of one incident (its first record with known parties says whose), or of the same parties opened within 7 days of each other,
  belong together; within them the n-th record of every recording body is one dispute. The record that closed first speaks for it, the
  earliest deadline binds it. Records that are not the speaking one carry a reason of exclusion. An agreement is followed by the first
  dispute of the same parties that opened after it.

  The hash of the parties lives only so long. What it told is settled before it goes, in rows of `links`: which records are one dispute,
  and what followed. They take its place here. Ingest renders this very macro to settle them; it may use nothing of dbt but days_between.
  `records` carries group_name, `night` is one row with as_of.
-#}
{% macro disputes(records, links, night) -%}
{%- set same_dispute_days = 7 -%}
dated_record as (
    select
        mediation.*,
        coalesce(mediation.origin, mediation.source_id) as recorded_by,
        least(cast(mediation.opened_at as date), night.as_of) as day,
        cast(mediation.opened_at as date) > night.as_of as is_future,
        case when cast(mediation.closed_at as date) <= night.as_of then mediation.closed_at end as known_closed_at,
        case when mediation.incident_id is null then mediation.dispute_id end as own_identity,
        link.dispute as own_link,
        link.settled_on,
        link.repeated_at as linked_repeat,
        case when link.repeated_at > mediation.closed_at then link.repeated_at end as settled_repeat,
        mediation.parties_key is not null or coalesce(link.had_key, false) as has_parties
    from {{ records }} as mediation
    left join {{ links }} as link on mediation.source_id = link.source_id and mediation.dispute_id = link.dispute_id
    cross join {{ night }} as night
),

ordered_record as (
    select
        dated_record.*,
        row_number() over (
            partition by group_name, incident_id, own_identity
            order by case when has_parties then 0 else 1 end, opened_at, source_id, dispute_id
        ) as place_in_incident
    from dated_record
),

record_of_incident as (
    select
        ordered_record.*,
        min(opened_at) over (partition by group_name, incident_id, own_identity) as anchored_at,
        min(own_link) over (partition by group_name, incident_id, own_identity) as link,
        max(case when place_in_incident = 1 then parties_key end) over (partition by group_name, incident_id, own_identity) as parties
    from ordered_record
),

record_of_thread as (
    select
        record_of_incident.*,
        coalesce('parties ' || parties, 'link ' || link, 'incident ' || incident_id, 'dispute ' || own_identity) as thread
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

linked_record as (
    select
        record_in_episode.*,
        min(link) over (partition by group_name, thread, episode) as episode_link,
        min(source_id || ' ' || dispute_id) over (partition by group_name, thread, episode) as episode_name
    from record_in_episode
),

named_record as (
    select
        linked_record.*,
        coalesce('link ' || episode_link, thread) as dispute_thread,
        case when episode_link is null then episode else 0 end as dispute_episode
    from linked_record
),

record_of_dispute as (
    select
        named_record.*,
        row_number() over (
            partition by group_name, dispute_thread, dispute_episode, recorded_by
            order by anchored_at, opened_at, source_id, dispute_id
        ) as place_in_dispute
    from named_record
),

ranked_record as (
    select
        record_of_dispute.*,
        min(opened_at) over (partition by group_name, dispute_thread, dispute_episode, place_in_dispute) as dispute_opened_at,
        min(due_at) over (partition by group_name, dispute_thread, dispute_episode, place_in_dispute) as dispute_due_at,
        row_number() over (
            partition by group_name, dispute_thread, dispute_episode, place_in_dispute
            order by known_closed_at nulls last, opened_at, source_id, dispute_id
        ) as record_rank
    from record_of_dispute
),

judged_record as (
    select
        ranked_record.*,
        case
            when is_future then 'after_as_of'
            when record_rank > 1 then 'duplicate_dispute'
        end as excluded_reason
    from ranked_record
),

repeat_of_parties as (
    select
        agreement.group_name,
        agreement.parties,
        agreement.known_closed_at,
        min(later.dispute_opened_at) as repeated_at
    from judged_record as agreement
    inner join judged_record as later
        on
            agreement.group_name = later.group_name
            and agreement.parties = later.parties
            and agreement.known_closed_at < later.dispute_opened_at
    where agreement.excluded_reason is null and later.excluded_reason is null
    group by agreement.group_name, agreement.parties, agreement.known_closed_at
),

dispute_record as (
    select
        judged_record.*,
        judged_record.parties is not null
        or coalesce(coalesce(cast(judged_record.known_closed_at as date), judged_record.settled_on) <= judged_record.settled_on, false)
            as are_parties_known,
        least(
            coalesce(repeat_of_parties.repeated_at, judged_record.settled_repeat),
            coalesce(judged_record.settled_repeat, repeat_of_parties.repeated_at)
        ) as repeated_at
    from judged_record
    left join repeat_of_parties
        on
            judged_record.group_name = repeat_of_parties.group_name
            and judged_record.parties = repeat_of_parties.parties
            and judged_record.known_closed_at = repeat_of_parties.known_closed_at
)
{%- endmacro %}
