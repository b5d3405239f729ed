{#- Rows of a balance that do not balance. -#}
{% test balanced(model) %}
select *
from {{ model }}
where not is_balanced
{% endtest %}
