{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_incident', 'int_deleted_incident', 'int_incident_called']}) }}
{#-
  Incidents moved to another category (by severity, and after their month was over), left out as invalid or deleted, called back by
  outcome, and reached at round times.
-#}
with incident as (
    select *
    from {{ rows_counted('int_incident') }}
    where not is_future
),

occurring as (
    select category_first as category from incident
    union
    select category from incident
),

severity as (
    select
        occurring.category,
        ranked.severity,
        ranked.valid_from,
        coalesce(ranked.valid_to, {{ last_moment() }}) as valid_to
    from occurring
    inner join {{ ref('category_severity') }} as ranked
        on substr(occurring.category, 1, length(ranked.category_prefix)) = ranked.category_prefix
),

ranked_incident as (
    select
        incident.unit_code,
        incident.day,
        incident.category_first,
        incident.category,
        case
            when severity_now.severity < severity_first.severity then 'down'
            when severity_now.severity > severity_first.severity then 'up'
        end as direction,
        incident.row_count
    from incident
    inner join severity as severity_first
        on
            incident.category_first = severity_first.category
            and incident.day >= severity_first.valid_from
            and incident.day < severity_first.valid_to
    inner join severity as severity_now
        on
            incident.category = severity_now.category
            and incident.day >= severity_now.valid_from
            and incident.day < severity_now.valid_to
),

timed_incident as (
    select
        response_unit_code,
        day,
        is_related_call,
        is_dispatched,
        {{ seconds_between('reported_at', 'arrived_at') }} as report_arrive,
        {{ seconds_between('dispatched_at', 'arrived_at') }} as dispatch_arrive,
        arrived_at = dispatched_at as is_arrived_when_dispatched,
        cast(extract(minute from arrived_at) as integer) as arrival_minute,
        cast(extract(second from arrived_at) as integer) as arrival_second,
        row_count
    from incident
),

judged_arrival as (
    select
        timed_incident.*,
        case
            {{ when_arrival_is_invalid() }}
        end as excluded_reason
    from timed_incident
),

arrival as (
    select
        response_unit_code as unit_code,
        day,
        arrival_minute % 5 = 0 and arrival_second = 0 as is_round,
        cast(arrival_minute % 10 as {{ dbt.type_string() }}) as digit,
        row_count
    from judged_arrival
    where excluded_reason is null
),

counted as (
    select 'INT-3.down' as kpi_id, unit_code, day, '' as cell, case when direction = 'down' then row_count else 0 end as numerator, row_count as denominator
    from ranked_incident
    union all
    select 'INT-3.down' as kpi_id, unit_code, day, 'direction:' || direction as cell, row_count as numerator, 0 as denominator
    from ranked_incident
    where direction is not null
    union all
    select 'INT-3.down' as kpi_id, unit_code, day, 'pair:' || category_first || '>' || category as cell, row_count as numerator, 0 as denominator
    from ranked_incident
    where category_first <> category
    union all
    select 'INT-3.late' as kpi_id, unit_code, day, '' as cell, case when is_changed_late then row_count else 0 end as numerator, row_count as denominator
    from incident
    where is_changed_late is not null
    union all
    select
        'INT-4.invalid' as kpi_id,
        unit_code,
        day,
        '' as cell,
        case when ineffective_reason = 'invalid' then row_count else 0 end as numerator,
        row_count as denominator
    from incident
    union all
    select 'INT-4.deleted' as kpi_id, unit_code, day, '' as cell, 0 as numerator, row_count as denominator from incident
    union all
    select 'INT-4.deleted' as kpi_id, unit_code, day, '' as cell, row_count as numerator, row_count as denominator
    from {{ rows_counted('int_deleted_incident') }}
    union all
    {%- for outcome, condition in [('', 'true'), ('outcome:case', 'is_case'), ('outcome:no_case', 'not is_case')] %}
    select
        'INT-5.coverage' as kpi_id,
        unit_code,
        day,
        '{{ outcome }}' as cell,
        case when is_called then row_count else 0 end as numerator,
        row_count as denominator
    from {{ rows_counted('int_incident_called') }}
    where excluded_reason is null and {{ condition }}
    union all
    {%- endfor %}
    select 'INT-8.heap' as kpi_id, unit_code, day, '' as cell, case when is_round then row_count else 0 end as numerator, row_count as denominator
    from arrival
    union all
    select 'INT-8.heap' as kpi_id, unit_code, day, 'digit:' || digit as cell, row_count as numerator, 0 as denominator from arrival
)

{{ summed_cells('counted') }}
