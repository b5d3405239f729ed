{#-
  Cases alike in all that matters, in every cohort figure: the last day that counts for them (their own day plus the horizon; without one, no day is the last), or why they are
  not in the figure. Only cases whose horizon has passed are counted; transfers and withdrawals stay.
-#}
{{ config(materialized='view') }}
with due_case as (
    select
        horizon.kpi_id,
        horizon.population,
        night.as_of,
        {{ cohort_due_on('case_tally.day') }} as due_on,
        case_tally.*
    from {{ ref('int_case_tally') }} as case_tally
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
