{#- Of a build that starts from the last one: the days on which rows of a model differ. Empty for a build that starts anew. -#}
{%- if builds_on_last() -%}
select distinct
    model_name,
    day
from {{ differing_rows('int_row_day', ['model_name', 'day', 'content']) }} as row_day
{%- else -%}
select
    model_name,
    day
from {{ ref('int_row_day') }}
where false
{%- endif %}
