{{ config(materialized='view') }}
{#-
  Matters as they are counted in every figure that matter_kind names: on which clock, what counts, and why one is left out, if it is.

  in_time and overdue are judged at the deadline: done by then or not, and what is still open then is late; a deadline without time
  of day lasts until the day is over, and one that is not stated is that of the regulation (matter_limit), if any. result and
  repeated are judged at the closing, repeated with the follow-up that the catalogue says. Matters withdrawn before they were late
  stand apart; one withdrawn later was late and stays so, under a timing of its own: it is neither done nor open any more. A matter that is left out stands on the day it arose. How long an acknowledgement took is kept in exact seconds.
-#}
with matter as (
    select
        matter.*,
        rule.kpi_id,
        rule.clock,
        rule.rule,
        rule.counted_result,
        catalogue.maturity_days as follow_up_days,
        case rule.clock
            when 'acknowledge_due' then matter.acknowledge_due_at
            else coalesce(matter.due_at, {{ dbt.dateadd('hour', 'regulation.hours', 'matter.opened_at') }})
        end as deadline_at,
        case
            when cast(matter.closed_at as date) > night.as_of then null
            when matter.result = 'withdrawn' then matter.closed_at
        end as withdrawn_at,
        case
            when rule.clock = 'acknowledge_due' and cast(matter.acknowledged_at as date) <= night.as_of then matter.acknowledged_at
            when rule.clock = 'acknowledge_due' or coalesce(matter.result, '') = 'withdrawn' then null
            when cast(matter.closed_at as date) <= night.as_of then matter.closed_at
        end as done_at,
        cast(matter.opened_at as date) as opened_on,
        night.as_of
    from {{ ref('stg_matter') }} as matter
    inner join {{ ref('matter_kind') }} as rule on matter.kind = rule.kind
    inner join {{ ref('kpi_catalogue') }} as catalogue on rule.kpi_id = catalogue.kpi_id
    left join {{ ref('matter_limit') }} as regulation
        on
            matter.kind = regulation.kind
            and matter.category = regulation.category
            and coalesce(matter.is_extended, false) = regulation.is_extended
            and cast(matter.opened_at as date) >= regulation.valid_from
            and cast(matter.opened_at as date) < coalesce(regulation.valid_to, {{ last_moment() }})
    cross join {{ source('control', 'night') }} as night
),

repetition as (
    select
        earlier.group_name,
        earlier.source_id,
        earlier.matter_id,
        earlier.rule,
        min(later.opened_at) as repeated_at
    from matter as earlier
    inner join matter as later
        on
            earlier.group_name = later.group_name
            and earlier.kpi_id = later.kpi_id
            and earlier.matter_id = later.related_id
            and earlier.done_at < later.opened_at
    where earlier.rule = 'repeated'
    group by earlier.group_name, earlier.source_id, earlier.matter_id, earlier.rule
),

timed_matter as (
    select
        matter.*,
        cast(matter.deadline_at as date) as deadline_on,
        cast(matter.done_at as date) as done_on,
        {{ is_by('matter.done_at', 'matter.deadline_at') }} as is_in_time,
        {{ is_by('matter.withdrawn_at', 'matter.deadline_at') }} as is_withdrawn_in_time,
        least(
            coalesce(cast(repetition.repeated_at as date), {{ last_moment() }}),
            case when matter.reopened_at >= matter.done_at then cast(matter.reopened_at as date) else {{ last_moment() }} end
        ) as again_on
    from matter
    left join repetition
        on
            matter.rule = repetition.rule
            and matter.group_name = repetition.group_name
            and matter.source_id = repetition.source_id
            and matter.matter_id = repetition.matter_id
),

judged_matter as (
    select
        timed_matter.*,
        case
            when rule in ('in_time', 'overdue') then deadline_on
            when rule in ('result', 'repeated') then done_on
            else opened_on
        end as counted_on,
        case
            when rule = 'in_time' then is_in_time
            when rule = 'overdue' then not is_in_time
            when rule = 'result' then coalesce(result, 'unknown') = counted_result
            when rule = 'repeated' then again_on <= {{ add_days('done_on', 'follow_up_days') }}
            else true
        end as is_counted_above,
        case
            when rule not in ('in_time', 'overdue') then null
            when is_in_time then 'in_time'
            when done_at is not null then 'late'
            when withdrawn_at is not null then 'withdrawn'
            else 'open'
        end as timing,
        case when rule = 'result' then coalesce(result, 'unknown') end as finding,
        case
            when opened_on > as_of then 'after_as_of'
            when rule in ('in_time', 'overdue') and done_at is null and withdrawn_at is not null
                and (deadline_at is null or is_withdrawn_in_time) then 'withdrawn'
            when rule in ('in_time', 'overdue') and deadline_at is null then 'no_deadline'
            when rule in ('in_time', 'overdue') and deadline_on > as_of then 'not_due'
            when rule in ('result', 'repeated') and withdrawn_at is not null then 'withdrawn'
            when rule in ('result', 'repeated') and done_at is null then 'not_closed'
            when rule = 'repeated' and {{ add_days('done_on', 'follow_up_days') }} > as_of then 'immature'
        end as excluded_reason
    from timed_matter
),

dated_matter as (
    select
        judged_matter.*,
        case when excluded_reason is null then counted_on else least(opened_on, as_of) end as day
    from judged_matter
)

select
    dated_matter.kpi_id,
    {{ leaf_unit() }} as unit_code,
    dated_matter.day,
    case when dated_matter.rule <> 'opened' then coalesce(dated_matter.category, 'unknown') end as category,
    dated_matter.timing,
    dated_matter.finding,
    case
        when dated_matter.clock = 'acknowledge_due' then {{ seconds_between('dated_matter.opened_at', 'dated_matter.done_at') }}
    end as seconds,
    case
        when dated_matter.is_extended is null or dated_matter.timing is null then null
        when dated_matter.is_extended then 'extended'
        else 'normal'
    end as granted_limit,
    case when dated_matter.excluded_reason is null and dated_matter.is_counted_above then dated_matter.row_count else 0 end as numerator,
    case when dated_matter.excluded_reason is null and dated_matter.rule <> 'opened' then dated_matter.row_count else 0 end as denominator,
    dated_matter.excluded_reason,
    dated_matter.row_count as excluded
from dated_matter
{{ join_leaf_unit('dated_matter') }}
{{ join_group_root('dated_matter') }}
