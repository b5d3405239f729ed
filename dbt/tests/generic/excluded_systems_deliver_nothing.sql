{% test excluded_systems_deliver_nothing(model) %}

select
    system_id,
    sources
from {{ model }}
where treatment = 'EXCLUDE' and sources is not null

{% endtest %}
