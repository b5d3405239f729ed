with tally as (
    select
        unit_code,
        day,
        category,
        channel,
        ineffective_reason,
        is_future,
        sum(row_count) as incidents,
        sum(case when is_dispatched then row_count else 0 end) as dispatched,
        sum(case when is_dispatched and is_returned then row_count else 0 end) as returned
    from {{ ref('int_incident') }}
    group by unit_code, day, category, channel, ineffective_reason, is_future
),

kpi_row as (
    select
        'INC-1' as kpi_id,
        unit_code,
        day,
        category,
        channel,
        case when is_future then 0 else incidents end as numerator,
        0 as denominator,
        case when is_future then 'after_as_of' end as excluded_reason,
        case when is_future then incidents else 0 end as excluded
    from tally
    union all
    select
        'INC-2' as kpi_id,
        unit_code,
        day,
        category,
        channel,
        case when ineffective_reason is null then incidents else 0 end as numerator,
        case when is_future then 0 else incidents end as denominator,
        ineffective_reason as excluded_reason,
        case when ineffective_reason is null then 0 else incidents end as excluded
    from tally
    union all
    select
        'INC-5' as kpi_id,
        unit_code,
        day,
        category,
        null as channel,
        case when is_future then 0 else returned end as numerator,
        case when is_future then 0 else dispatched end as denominator,
        case when is_future then 'after_as_of' when incidents > dispatched then 'not_dispatched' end as excluded_reason,
        case when is_future then incidents else incidents - dispatched end as excluded
    from tally
),

{{ cells('kpi_row', ['category', 'channel']) }}

select * from cell
