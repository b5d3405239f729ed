{#- What the rows of a model say of every day, as one number that differs when any row does: how a build finds the days to count again. -#}
{% for model_name in [
    'int_incident', 'int_incident_called', 'int_incident_registered', 'int_deleted_incident', 'int_callback', 'int_case_cohort',
    'int_observation', 'int_matter_cell', 'int_community_cell'
] %}
{% if not loop.first %}union all {% endif -%}
select
    '{{ model_name }}' as model_name,
    counted.day,
    {{ whole_rows_content('counted') }} as content
from {{ ref(model_name) }} as counted
group by counted.day
{% endfor %}
