{#-
  Clearance is of criminal cases, by their filing and by the period; CR-5 beside it has every event, and first events, of administrative
  cases too: that is what it balances against.
-#}
{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_case_cohort'], 'kpis_whole': ['CR-1', 'CR-1.filed', 'CR-4', 'CR-5', 'CR-6']}) }}
with cohort_case as (
    select
        kpi_id,
        unit_code,
        day,
        category,
        cleared_on,
        exited_on,
        due_on,
        excluded_reason,
        row_count
    from {{ rows_counted('int_case_cohort') }}
    where kpi_id like 'CR-%'
),

kpi_row as (
    select
        'CR-1.filed' as kpi_id,
        unit_code,
        day,
        category,
        case when excluded_reason is null and case_kind = 'criminal' then row_count else 0 end as numerator,
        0 as denominator,
        coalesce(excluded_reason, case when case_kind <> 'criminal' then 'other_population' end) as excluded_reason,
        row_count as excluded
    from {{ ref('int_case') }}
    union all
    select
        kpi_id,
        unit_code,
        day,
        category,
        case when excluded_reason is null and cleared_on <= due_on then row_count else 0 end as numerator,
        case when excluded_reason is null then row_count else 0 end as denominator,
        excluded_reason,
        row_count as excluded
    from cohort_case
),

{{ cells('kpi_row', ['category']) }},

counted_cohort as (
    select
        unit_code,
        day,
        cleared_on,
        case
            when cleared_on is not null then 'lag:cleared:' || cast(greatest({{ days_between('day', 'cleared_on') }}, 0) as {{ dbt.type_string() }})
            when exited_on is not null then 'lag:exit:' || cast(greatest({{ days_between('day', 'exited_on') }}, 0) as {{ dbt.type_string() }})
            else 'lag:open'
        end as lag_cell,
        row_count
    from cohort_case
    where kpi_id = 'CR-2' and excluded_reason is null
),

root_with_events as (
    select distinct root_code from {{ ref('int_case_event') }}
),

filed_case as (
    select
        cases.unit_code,
        cases.root_code,
        cases.day,
        cases.is_major,
        sum(cases.row_count) as cases
    from {{ ref('int_case') }} as cases
    inner join root_with_events on cases.root_code = root_with_events.root_code
    where cases.excluded_reason is null and cases.case_kind = 'criminal'
    group by cases.unit_code, cases.root_code, cases.day, cases.is_major
),

cleared_case as (
    select
        cleared_unit_code as unit_code,
        cleared_on as day,
        is_major,
        count(*) as cases
    from {{ ref('int_case_history') }}
    where case_kind = 'criminal' and cleared_on is not null
    group by cleared_unit_code, cleared_on, is_major
),

event_on_day as (
    select
        unit_code,
        root_code,
        day,
        coalesce('excluded:' || excluded_reason, 'event:' || event) as cell,
        clears and case_kind = 'criminal' and excluded_reason is null as clears,
        closes_otherwise and case_kind = 'criminal' and excluded_reason is null as closes_otherwise,
        sum(row_count) as events
    from {{ ref('int_case_event') }}
    group by unit_code, root_code, day, excluded_reason, event, case_kind, clears, closes_otherwise
),

clearing_event as (
    select distinct
        root_code,
        cell
    from event_on_day
    where clears
),

other_cell as (
    select
        'CR-2' as kpi_id,
        unit_code,
        day,
        lag_cell as cell,
        case when cleared_on is null then 0 else row_count end as numerator,
        row_count as denominator
    from counted_cohort
    union all
    select 'CR-2' as kpi_id, unit_code, day, 'flag:negative_lag' as cell, row_count as numerator, row_count as denominator
    from counted_cohort
    where cleared_on < day
    union all
    select 'CR-1' as kpi_id, unit_code, day, '' as cell, cases as numerator, 0 as denominator from cleared_case
    union all
    select 'CR-1' as kpi_id, unit_code, day, '' as cell, 0 as numerator, cases as denominator from filed_case
    union all
    select 'CR-1' as kpi_id, unit_code, day, cell, events as numerator, 0 as denominator from event_on_day where clears
    union all
    select 'CR-1' as kpi_id, filed_case.unit_code, filed_case.day, clearing_event.cell, 0 as numerator, filed_case.cases as denominator
    from filed_case
    inner join clearing_event on filed_case.root_code = clearing_event.root_code
    union all
    select 'CR-6' as kpi_id, unit_code, day, '' as cell, cases as numerator, 0 as denominator from cleared_case where is_major
    union all
    select 'CR-6' as kpi_id, unit_code, day, '' as cell, 0 as numerator, cases as denominator from filed_case where is_major
    union all
    select 'CR-5' as kpi_id, unit_code, day, '' as cell, cases as numerator, 0 as denominator from cleared_case
    union all
    select 'CR-5' as kpi_id, unit_code, day, cell, events as numerator, 0 as denominator from event_on_day
    union all
    select 'CR-5' as kpi_id, first_event_unit_code as unit_code, first_event_on as day, 'flag:first_event' as cell, 1 as numerator, 0 as denominator
    from {{ ref('int_case_history') }}
    union all
    select 'CR-4' as kpi_id, otherwise_closed_unit_code as unit_code, otherwise_closed_on as day, '' as cell, 1 as numerator, 0 as denominator
    from {{ ref('int_case_history') }}
    where case_kind = 'criminal' and otherwise_closed_on is not null
    union all
    select 'CR-4' as kpi_id, unit_code, day, cell, events as numerator, 0 as denominator from event_on_day where closes_otherwise
)

select * from cell
union all
{{ summed_cells('other_cell') }}
