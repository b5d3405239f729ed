{{ config(materialized='view') }}
{#-
  What is counted of services: requests on the days they were received, due and closed, and the visits to the windows on the day a ticket was
  drawn. What is not due, not closed or withdrawn stands beside the figure, by reason; what was withdrawn only when it was overdue stays in
  it: a withdrawal makes nothing late undone.
-#}
with request_due as (
    select
        *,
        coalesce(
            excluded_reason,
            case
                when due_on is null then 'no_deadline'
                when due_on > as_of then 'not_due'
                when result = 'withdrawn' and is_in_time then 'withdrawn'
            end
        ) as left_out,
        case
            when closed_on is null then 'open'
            when is_in_time then 'in_time'
            when result = 'withdrawn' then 'withdrawn'
            else 'late'
        end as timing
    from {{ ref('int_service_request') }}
),

request_done as (
    select
        *,
        coalesce(
            excluded_reason,
            case
                when closed_on is null then 'not_closed'
                when result = 'withdrawn' then 'withdrawn'
                when closed_on < received_on then 'negative'
            end
        ) as left_out,
        {{ days_between('received_on', 'closed_on') }} as days_taken
    from {{ ref('int_service_request') }}
),

visit as (
    select
        visit.group_name,
        visit.unit_code,
        least(cast(visit.taken_at as date), night.as_of) as day,
        coalesce(visit.item_code, 'unknown') as item,
        coalesce(item_version.is_one_window, false) as is_one_window,
        {{ seconds_between('visit.taken_at', 'visit.called_at') }} as seconds_waited,
        case
            when cast(visit.taken_at as date) > night.as_of then 'after_as_of'
            when visit.called_at is null or cast(visit.called_at as date) > night.as_of then 'not_called'
            when visit.called_at < visit.taken_at then 'negative'
        end as left_out,
        visit.row_count
    from {{ ref('stg_service_visit') }} as visit
    cross join {{ source('control', 'night') }} as night
    left join {{ ref('int_service_item') }} as item_version
        on
            visit.group_name = item_version.group_name
            and visit.item_code = item_version.item_code
            and cast(visit.taken_at as date) >= item_version.valid_from
            and cast(visit.taken_at as date) < item_version.valid_to
),

counted as (
    select
        'SVC-1' as kpi_id,
        group_name,
        unit_code,
        case when left_out is null or left_out = 'withdrawn' then due_on else received_on end as day,
        channel,
        timing,
        null as item,
        case when timing = 'in_time' then row_count else 0 end as numerator,
        row_count as denominator,
        cast(null as bigint) as bin,
        left_out,
        row_count
    from request_due
    union all
    select
        'SVC-2' as kpi_id,
        group_name,
        unit_code,
        received_on as day,
        channel,
        null as timing,
        null as item,
        case when channel in ('online', 'app') then row_count else 0 end as numerator,
        row_count as denominator,
        cast(null as bigint) as bin,
        coalesce(excluded_reason, case when channel = 'unknown' then 'channel_unknown' end) as left_out,
        row_count
    from {{ ref('int_service_request') }}
    union all
    select
        'SVC-3' as kpi_id,
        group_name,
        unit_code,
        case when left_out is null then closed_on else received_on end as day,
        channel,
        null as timing,
        null as item,
        days_taken * row_count as numerator,
        row_count as denominator,
        cast(days_taken as bigint) as bin,
        left_out,
        row_count
    from request_done
    {%- for limit in ['promised', 'statutory'] %}
    union all
    select
        'SVC-3.{{ limit }}' as kpi_id,
        group_name,
        unit_code,
        case when left_out is null and {{ limit }}_days is not null then closed_on else received_on end as day,
        channel,
        null as timing,
        null as item,
        case when days_taken <= {{ limit }}_days then row_count else 0 end as numerator,
        row_count as denominator,
        cast(null as bigint) as bin,
        coalesce(left_out, case when {{ limit }}_days is null then 'item_unknown' end) as left_out,
        row_count
    from request_done
    {%- endfor %}
    union all
    select
        'SVC-3.cut' as kpi_id,
        group_name,
        unit_code,
        received_on as day,
        channel,
        null as timing,
        null as item,
        promised_days * row_count as numerator,
        statutory_days * row_count as denominator,
        cast(null as bigint) as bin,
        coalesce(excluded_reason, case when promised_days is null or statutory_days is null then 'item_unknown' end) as left_out,
        row_count
    from {{ ref('int_service_request') }}
    union all
    select
        'SVC-4.cross_region' as kpi_id,
        group_name,
        unit_code,
        received_on as day,
        channel,
        null as timing,
        item,
        row_count as numerator,
        0 as denominator,
        cast(null as bigint) as bin,
        coalesce(excluded_reason, case when not is_cross_region then 'same_region' end) as left_out,
        row_count
    from {{ ref('int_service_request') }}
    union all
    select
        'SVC-4.one_window' as kpi_id,
        group_name,
        unit_code,
        day,
        null as channel,
        null as timing,
        item,
        row_count as numerator,
        0 as denominator,
        cast(null as bigint) as bin,
        coalesce(left_out, case when not is_one_window then 'other_item' end) as left_out,
        row_count
    from visit
    union all
    select
        'SVC-5' as kpi_id,
        group_name,
        unit_code,
        day,
        null as channel,
        null as timing,
        null as item,
        seconds_waited * row_count as numerator,
        row_count as denominator,
        cast(floor(seconds_waited / 60.0) as bigint) as bin,
        left_out,
        row_count
    from visit
)

select
    counted.kpi_id,
    {{ leaf_unit() }} as unit_code,
    counted.day,
    counted.channel,
    counted.timing,
    counted.item,
    case when counted.left_out is null then counted.numerator else 0 end as numerator,
    case when counted.left_out is null then counted.denominator else 0 end as denominator,
    case when counted.left_out is null then counted.bin end as bin,
    counted.left_out as excluded_reason,
    counted.row_count as excluded
from counted
{{ join_leaf_unit('counted') }}
{{ join_group_root('counted') }}
