{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_incident', 'int_matter_row']}) }}
{% set stages = {
    'report_receive': ('reported_at', 'received_at'),
    'receive_dispatch': ('received_at', 'dispatched_at'),
    'dispatch_arrive': ('dispatched_at', 'arrived_at'),
    'arrive_close': ('arrived_at', 'closed_at'),
    'report_arrive': ('reported_at', 'arrived_at'),
} -%}
with default_target as (
    select * from {{ ref('response_target') }} where place_kind is null
),

timed_incident as (
    select
        incident.response_unit_code as unit_code,
        incident.day,
        incident.place_kind,
        incident.ineffective_reason,
        incident.is_future,
        incident.is_related_call,
        incident.is_urgent,
        incident.is_dispatched,
        {%- for stage, (starts, ends) in stages.items() %}
        {{ seconds_between('incident.' ~ starts, 'incident.' ~ ends) }} as {{ stage }},
        {%- endfor %}
        incident.arrived_at = incident.dispatched_at as is_arrived_when_dispatched,
        60 * coalesce(place_target.minutes, default_target.minutes) as target_seconds,
        incident.row_count
    from {{ rows_counted('int_incident') }} as incident
    left join {{ ref('response_target') }} as place_target
        on
            incident.place_kind = place_target.place_kind
            and incident.day >= place_target.valid_from
            and incident.day < coalesce(place_target.valid_to, {{ last_moment() }})
    left join default_target
        on
            incident.day >= default_target.valid_from
            and incident.day < coalesce(default_target.valid_to, {{ last_moment() }})
),

stage_row as (
    {%- for stage in stages %}
    {% if not loop.first %}union all {% endif -%}
    select
        unit_code,
        day,
        '{{ stage }}' as stage,
        {{ stage }} as seconds,
        sum(row_count) as incidents
    from timed_incident
    where ineffective_reason is null and {{ stage }} > 0
    group by unit_code, day, {{ stage }}
    {%- endfor %}
),

duration_row as (
    select
        unit_code,
        day,
        report_arrive,
        case
            when ineffective_reason is not null then ineffective_reason
            when report_arrive is null then 'missing'
            when report_arrive < 0 then 'negative'
            when report_arrive = 0 then 'identical'
        end as excluded_reason,
        row_count
    from timed_incident
),

urgent_row as (
    select
        unit_code,
        day,
        place_kind,
        report_arrive <= target_seconds as is_on_time,
        case
            when is_future then 'after_as_of'
            when not is_urgent then 'not_urgent'
            {{ when_arrival_is_invalid() }}
        end as excluded_reason,
        row_count
    from timed_incident
),

kpi_row as (
    select
        'RT-1' as kpi_id,
        unit_code,
        day,
        null as place_kind,
        sum(case when excluded_reason is null then report_arrive * row_count else 0 end) as numerator,
        sum(case when excluded_reason is null then row_count else 0 end) as denominator,
        excluded_reason,
        sum(row_count) as excluded
    from duration_row
    group by unit_code, day, excluded_reason
    union all
    select
        'RT-2' as kpi_id,
        unit_code,
        day,
        place_kind,
        sum(case when excluded_reason is null and is_on_time then row_count else 0 end) as numerator,
        sum(case when excluded_reason is null then row_count else 0 end) as denominator,
        excluded_reason,
        sum(row_count) as excluded
    from urgent_row
    group by unit_code, day, place_kind, excluded_reason
),

{{ cells('kpi_row', ['place_kind']) }},

order_cell as (
    {{ family_cells('response', ['int_matter_cell']) }}
)

select * from cell
union all
select * from order_cell
union all
select
    'RT-1' as kpi_id,
    unit_code,
    day,
    'stage:' || stage as cell,
    cast(sum(seconds * incidents) as bigint) as numerator,
    cast(sum(incidents) as bigint) as denominator
from stage_row
group by unit_code, day, stage
union all
select
    'RT-1' as kpi_id,
    unit_code,
    day,
    'bin:' || stage || ':' || cast(seconds as {{ dbt.type_string() }}) as cell,
    cast(seconds * incidents as bigint) as numerator,
    cast(incidents as bigint) as denominator
from stage_row
