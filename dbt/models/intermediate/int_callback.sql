{#-
  Callback attempts, in order, dated and placed as the incident that they are about; where the pool does not know the incident,
  as the first attempt. One reply counts per incident, the first; a later, better one does not replace it.
-#}
with known_incident as (
    select
        group_name,
        incident_id,
        min(unit_code) as unit_code,
        min(day) as day
    from {{ ref('int_incident') }}
    where incident_id is not null
    group by group_name, incident_id
),

attempt as (
    select
        callback.group_name,
        callback.incident_id,
        callback.unit_code,
        callback.attempt,
        callback.result,
        coalesce(callback.has_phone, false) as has_phone,
        coalesce(callback.channel, 'unknown') as channel,
        cast(callback.called_at as date) > night.as_of as is_future,
        weight.percent,
        weight.is_reply,
        row_number() over in_order as attempt_rank,
        sum(case when weight.is_reply then 1 else 0 end) over in_order as replies_so_far,
        least(
            min(cast(callback.called_at as date)) over (partition by callback.group_name, callback.incident_id), night.as_of
        ) as day,
        callback.row_count
    from {{ ref('stg_callback') }} as callback
    inner join {{ ref('satisfaction_weight') }} as weight on callback.result = weight.result
    cross join {{ source('control', 'night') }} as night
    window in_order as (
        partition by callback.group_name, callback.incident_id
        order by callback.called_at, callback.attempt, callback.source_id, callback.file_name, callback.row_number
        rows between unbounded preceding and current row
    )
)

select
    attempt.group_name,
    attempt.incident_id,
    coalesce(known_incident.unit_code, {{ leaf_unit() }}) as unit_code,
    coalesce(known_incident.day, attempt.day) as day,
    known_incident.incident_id is not null as is_known_incident,
    attempt.attempt,
    attempt.result,
    attempt.has_phone,
    attempt.channel,
    attempt.percent,
    attempt.is_reply,
    attempt.attempt_rank,
    attempt.is_reply and attempt.replies_so_far = 1 as is_first_reply,
    attempt.is_future,
    attempt.row_count
from attempt
left join known_incident
    on attempt.group_name = known_incident.group_name and attempt.incident_id = known_incident.incident_id
{{ join_leaf_unit('attempt') }}
{{ join_group_root('attempt') }}
