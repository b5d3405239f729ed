{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_callback', 'int_incident_called', 'int_observation']}) }}
with callback as (
    select *
    from {{ rows_counted('int_callback') }}
),

callback_row as (
    select
        'SAT-1' as kpi_id,
        unit_code,
        day,
        channel,
        cast(attempt as {{ dbt.type_string() }}) as attempt,
        result,
        cast(attempt as {{ dbt.type_string() }}) || ':' || result as attempt_result,
        case when is_first_reply and not is_future then percent * row_count else 0 end as numerator,
        case when is_first_reply and not is_future then row_count else 0 end as denominator,
        case
            when is_future then 'after_as_of'
            when not is_reply then result
            when not is_first_reply then 'later_reply'
        end as excluded_reason,
        row_count as excluded
    from callback
),

response_row as (
    select
        'SAT-3' as kpi_id,
        callback.unit_code,
        callback.day,
        callback.channel,
        null as attempt,
        null as result,
        null as attempt_result,
        case when callback.attempt_rank = 1 and reply.incident_id is not null then callback.row_count else 0 end as numerator,
        case when callback.attempt_rank = 1 and not callback.is_future then callback.row_count else 0 end as denominator,
        case when callback.is_future then 'after_as_of' when callback.attempt_rank > 1 then 'later_attempt' end as excluded_reason,
        callback.row_count as excluded
    from callback
    left join callback as reply
        on
            callback.group_name = reply.group_name
            and callback.incident_id = reply.incident_id
            and reply.is_first_reply
            and not reply.is_future
),

reply_row as (
    select * from callback_row
    union all
    select * from response_row
),

share_row as (
    select
        'SAT-2' as kpi_id,
        unit_code,
        day,
        category,
        case when excluded_reason is null and is_called then row_count else 0 end as numerator,
        case when excluded_reason is null then row_count else 0 end as denominator,
        excluded_reason,
        row_count as excluded
    from {{ rows_counted('int_incident_called') }}
),

{{ cells('reply_row', ['channel', 'attempt', 'result', 'attempt_result'], 'reply_cell') }},

{{ cells('share_row', ['category'], 'share_cell') }}

select * from reply_cell
union all
select * from share_cell
union all
{{ family_cells('satisfaction', ['int_observation_cell']) }}
