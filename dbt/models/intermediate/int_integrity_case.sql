{#- Criminal cases cleared at once, before they were filed, or withdrawn; clearances reopened; cases that look like parts of one. -#}
{% set seconds_of_a_day = 86400 -%}
with root_with_events as (
    select distinct root_code from {{ ref('int_case_event') }}
),

filed_case as (
    select
        cases.group_name,
        cases.case_id,
        cases.incident_id,
        cases.unit_code,
        cases.day,
        cases.category,
        cases.filed_at,
        {{ dbt.date_trunc('minute', 'cases.occurred_at') }} as occurred_minute,
        root_with_events.root_code is not null as has_events,
        cases.row_count
    from {{ ref('int_case') }} as cases
    left join root_with_events on cases.root_code = root_with_events.root_code
    where cases.excluded_reason is null and cases.case_kind = 'criminal'
),

followed_case as (
    select
        filed_case.unit_code,
        filed_case.day,
        history.cleared_at < filed_case.filed_at as is_cleared_before,
        history.withdrawn_on is not null as is_withdrawn,
        filed_case.row_count
    from filed_case
    left join {{ ref('int_case_history') }} as history
        on filed_case.group_name = history.group_name and filed_case.case_id = history.case_id
    where filed_case.has_events
),

cleared_case as (
    select
        history.cleared_unit_code as unit_code,
        history.cleared_on as day,
        filed_case.case_id is not null as is_filing_known,
        {{ seconds_between('filed_case.filed_at', 'history.cleared_at') }} <= {{ seconds_of_a_day }} as is_quick
    from {{ ref('int_case_history') }} as history
    left join filed_case on history.group_name = filed_case.group_name and history.case_id = filed_case.case_id
    where history.case_kind = 'criminal' and history.cleared_on is not null
),

cluster as (
    select
        unit_code,
        day,
        sum(row_count) as cases
    from filed_case
    where occurred_minute is not null
    group by group_name, unit_code, day, category, occurred_minute
),

case_of_incident as (
    select
        unit_code,
        day,
        row_count,
        row_number() over (partition by group_name, incident_id order by filed_at, case_id nulls last, unit_code) as place_in_incident
    from filed_case
    where incident_id is not null
),

counted as (
    select
        'INT-1.quick' as kpi_id,
        unit_code,
        day,
        '' as cell,
        case when is_quick then 1 else 0 end as numerator,
        1 as denominator
    from cleared_case
    where is_filing_known
    union all
    select 'INT-1.before' as kpi_id, unit_code, day, '' as cell, case when is_cleared_before then row_count else 0 end as numerator, row_count as denominator
    from followed_case
    union all
    select 'INT-3.reopened' as kpi_id, unit_code, day, '' as cell, 0 as numerator, 1 as denominator from cleared_case
    union all
    select 'INT-3.reopened' as kpi_id, unit_code, day, '' as cell, row_count as numerator, 0 as denominator
    from {{ ref('int_case_event') }}
    where event = 'reopened' and case_kind = 'criminal' and excluded_reason is null
    union all
    select 'INT-4.withdrawn' as kpi_id, unit_code, day, '' as cell, case when is_withdrawn then row_count else 0 end as numerator, row_count as denominator
    from followed_case
    union all
    select 'INT-7.cluster' as kpi_id, unit_code, day, '' as cell, cases - 1 as numerator, cases as denominator from cluster
    union all
    select
        'INT-7.per_incident' as kpi_id,
        unit_code,
        day,
        '' as cell,
        case when place_in_incident = 1 then row_count - 1 else row_count end as numerator,
        row_count as denominator
    from case_of_incident
)

{{ summed_cells('counted') }}
