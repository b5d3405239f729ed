{#-
  Cases alike in all that matters, in every cohort figure: the last day that counts for them (their own day plus the horizon; without one, no day is the last), or why they are
  not in the figure. Only cases whose horizon has passed are counted; transfers and withdrawals stay.
-#}
with root_with_events as (
    select distinct root_code from {{ ref('int_case_event') }}
),

case_tally as (
    select
        cases.unit_code,
        cases.day,
        cases.category,
        cases.case_kind,
        cases.is_serious_violent,
        cases.excluded_reason,
        root_with_events.root_code is not null as has_events,
        history.cleared_on,
        history.exited_on,
        history.penalised_on,
        history.not_penalised_on,
        history.mediated_on,
        sum(cases.row_count) as row_count
    from {{ ref('int_case') }} as cases
    left join {{ ref('int_case_history') }} as history
        on cases.group_name = history.group_name and cases.case_id = history.case_id
    left join root_with_events on cases.root_code = root_with_events.root_code
    group by
        cases.unit_code,
        cases.day,
        cases.category,
        cases.case_kind,
        cases.is_serious_violent,
        cases.excluded_reason,
        root_with_events.root_code is not null,
        history.cleared_on,
        history.exited_on,
        history.penalised_on,
        history.not_penalised_on,
        history.mediated_on
),

due_case as (
    select
        horizon.kpi_id,
        horizon.population,
        night.as_of,
        case
            when horizon.horizon_days is not null then {{ add_days('case_tally.day', 'horizon.horizon_days') }}
            when horizon.horizon_months is not null then {{ add_months('case_tally.day', 'horizon.horizon_months') }}
            else {{ last_moment() }}
        end as due_on,
        case_tally.*
    from case_tally
    cross join {{ ref('cohort_horizon') }} as horizon
    cross join {{ source('control', 'night') }} as night
)

select
    kpi_id,
    unit_code,
    day,
    category,
    due_on,
    cleared_on,
    exited_on,
    penalised_on,
    not_penalised_on,
    mediated_on,
    case
        when excluded_reason is not null then excluded_reason
        when population = 'administrative' and case_kind <> 'administrative' then 'other_population'
        when population <> 'administrative' and case_kind <> 'criminal' then 'other_population'
        when population = 'serious_violent' and not is_serious_violent then 'other_population'
        when not has_events then 'no_event_feed'
        when due_on > as_of and due_on < {{ last_moment() }} then 'immature'
    end as excluded_reason,
    row_count
from due_case
