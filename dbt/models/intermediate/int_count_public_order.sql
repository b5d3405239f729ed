{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_case_cohort']}) }}
with decided_case as (
    select
        kpi_id,
        unit_code,
        day,
        category,
        excluded_reason,
        row_count,
        case
            when excluded_reason is not null then null
            when penalised_on <= due_on
                and penalised_on <= coalesce(not_penalised_on, penalised_on)
                and penalised_on <= coalesce(mediated_on, penalised_on) then 'penalised'
            when not_penalised_on <= due_on and not_penalised_on <= coalesce(mediated_on, not_penalised_on) then 'not_penalised'
            when mediated_on <= due_on then 'mediated'
            else 'undecided'
        end as outcome
    from {{ rows_counted('int_case_cohort') }}
    where kpi_id like 'AD-%'
),

kpi_row as (
    select
        kpi_id,
        unit_code,
        day,
        category,
        case when outcome = 'penalised' then row_count else 0 end as numerator,
        case when excluded_reason is null then row_count else 0 end as denominator,
        excluded_reason,
        row_count as excluded
    from decided_case
),

{{ cells('kpi_row', ['category']) }},

accepted_on_day as (
    select
        kpi_id,
        unit_code,
        day,
        denominator as accepted
    from cell
    where cell = ''
),

outcome_on_day as (
    select
        kpi_id,
        unit_code,
        day,
        outcome,
        sum(row_count) as cases
    from decided_case
    where outcome is not null
    group by kpi_id, unit_code, day, outcome
),

possible_outcome as (
    {%- for outcome in ['penalised', 'not_penalised', 'mediated', 'undecided'] %}
    {% if not loop.first %}union all {% endif -%}
    select '{{ outcome }}' as outcome
    {%- endfor %}
)

select * from cell
union all
select
    accepted_on_day.kpi_id,
    accepted_on_day.unit_code,
    accepted_on_day.day,
    'outcome:' || possible_outcome.outcome as cell,
    cast(coalesce(outcome_on_day.cases, 0) as bigint) as numerator,
    accepted_on_day.accepted as denominator
from accepted_on_day
cross join possible_outcome
left join outcome_on_day
    on
        accepted_on_day.kpi_id = outcome_on_day.kpi_id
        and accepted_on_day.unit_code = outcome_on_day.unit_code
        and accepted_on_day.day = outcome_on_day.day
        and possible_outcome.outcome = outcome_on_day.outcome
