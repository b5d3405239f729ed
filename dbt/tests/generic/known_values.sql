{#- Values of a column that a code list does not name, with how many rows hold them: those rows are in no figure. -#}
{% test known_values(model, column_name, listed_in, listed_column) %}
select
    {{ column_name }},
    count(*) as row_count
from {{ model }}
where {{ column_name }} not in (select {{ listed_column }} from {{ listed_in }})
group by {{ column_name }}
{% endtest %}
