{#-
  What has happened to each case as of the night: the first day of every kind of event that a figure asks for, and the unit that the first
  of them counts for (of several at one moment, the unit of the smallest code). A case that the pool has no case row for (recorded before deliveries began) appears here too.
-#}
{% set milestones = {
    'first_event': 'true',
    'cleared': 'clears',
    'otherwise_closed': 'closes_otherwise',
} -%}
with event_with_milestones as (
    select
        *
        {%- for milestone, condition in milestones.items() %},
        min(case when {{ condition }} then happened_at end) over (partition by group_name, case_id) as {{ milestone }}_at
        {%- endfor %}
    from {{ ref('int_case_event') }}
    where excluded_reason is null
)

select
    group_name,
    case_id,
    min(case_kind) as case_kind,
    max(case when is_major then 1 else 0 end) = 1 as is_major
    {%- for milestone, condition in milestones.items() %},
    min(case when {{ condition }} then day end) as {{ milestone }}_on,
    min(case when {{ condition }} and happened_at = {{ milestone }}_at then unit_code end) as {{ milestone }}_unit_code
    {%- endfor %},
    min(cleared_at) as cleared_at,
    min(case when exits then day end) as exited_on,
    min(case when event = 'withdrawn' then day end) as withdrawn_on,
    min(case when administrative_outcome = 'penalised' then day end) as penalised_on,
    min(case when administrative_outcome = 'not_penalised' then day end) as not_penalised_on,
    min(case when administrative_outcome = 'mediated' then day end) as mediated_on
from event_with_milestones
group by group_name, case_id
