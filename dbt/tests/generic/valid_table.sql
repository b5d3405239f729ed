{#-
  One pass over a table: a unique key, columns that are never null, columns that hold only accepted values. `after` is a model that says
  which rows are to be tested again, where it is not one of those that the table is made of.
-#}
{% test valid_table(model, key, not_null=[], accepted={}, after=none) %}
select
    {{ key | join(', ') }},
    problem
from (
    select
        {{ key | join(', ') }},
        case
            {%- for column in key + not_null %}
            when {{ column }} is null then '{{ column }} is null'
            {%- endfor %}
            {%- for column, values in accepted.items() %}
            when {{ column }} not in ('{{ values | join("', '") }}') then '{{ column }} is not an accepted value'
            {%- endfor %}
        end as problem
    from {{ rows_tested(model) }}
) as judged
where problem is not null
union all
select
    {{ key | join(', ') }},
    'key is not unique' as problem
from {{ rows_tested(model) }}
group by {{ key | join(', ') }}
having count(*) > 1
{% endtest %}
