{#- Cases alike in all that a cohort figure asks of them. -#}
with root_with_events as (
    select distinct root_code from {{ ref('int_case_event') }}
)

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
