{#-
  What the rows of a model say of every day, as a number that differs when any row does: how a build finds the days to count again. Cases of a
  cohort differ, too, when their horizon has passed.
-#}
{% set models = [
    'int_incident', 'int_incident_called', 'int_incident_registered', 'int_deleted_incident', 'int_callback', 'int_observation',
    'int_matter_row', 'int_community_cell', 'int_mediation_row', 'int_fraud_row', 'int_traffic_row', 'int_service_row', 'int_service_item_cell'
] -%}
with matured as (
    select
        case_day.day,
        sum(case when {{ cohort_due_on('case_day.day') }} <= night.as_of then 1 else 0 end) as horizons
    from (select distinct day from {{ ref('int_case_tally') }}) as case_day
    cross join {{ ref('cohort_horizon') }} as horizon
    cross join {{ source('control', 'night') }} as night
    group by case_day.day
),

cohort_case as (
    select
        case_tally.*,
        matured.horizons
    from {{ ref('int_case_tally') }} as case_tally
    inner join matured on case_tally.day = matured.day
)

{% for model_name in models %}
select
    '{{ model_name }}' as model_name,
    counted.day,
    {{ whole_rows_content('counted') }} as content
from {{ ref(model_name) }} as counted
group by counted.day
union all
{% endfor %}
select
    'int_case_cohort' as model_name,
    counted.day,
    {{ whole_rows_content('counted') }} as content
from cohort_case as counted
group by counted.day
