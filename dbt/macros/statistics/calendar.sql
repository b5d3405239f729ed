{#- Days as whole numbers (1970-01-01 is 0), so that every other date calculation is plain arithmetic on both engines. -#}
{% macro day_number(day) -%}
{{ return(adapter.dispatch('day_number')(day)) }}
{%- endmacro %}

{% macro default__day_number(day) -%}
datediff({{ day }}, cast('1970-01-01' as date))
{%- endmacro %}

{% macro duckdb__day_number(day) -%}
cast({{ day }} - cast('1970-01-01' as date) as integer)
{%- endmacro %}

{% macro day_from_number(number) -%}
{{ return(adapter.dispatch('day_from_number')(number)) }}
{%- endmacro %}

{% macro default__day_from_number(number) -%}
date_add(cast('1970-01-01' as date), cast({{ number }} as int))
{%- endmacro %}

{% macro duckdb__day_from_number(number) -%}
(cast('1970-01-01' as date) + cast({{ number }} as integer))
{%- endmacro %}

{#- One row per whole number from one expression to another; both may be columns of the relation selected from. -#}
{% macro each_number(first, last) -%}
{{ return(adapter.dispatch('each_number')(first, last)) }}
{%- endmacro %}

{% macro default__each_number(first, last) -%}
explode(sequence({{ first }}, {{ last }}))
{%- endmacro %}

{% macro duckdb__each_number(first, last) -%}
unnest(range({{ first }}, {{ last }} + 1))
{%- endmacro %}

{#- Monday 1 … Sunday 7. -#}
{% macro weekday_of_number(number) -%}
(({{ number }} + 700003) % 7 + 1)
{%- endmacro %}

{#- The number of a grain: day 1, week 2, month 3, quarter 4, year 5. -#}
{% macro grain_no(grain) -%}
case {{ grain }} when 'day' then 1 when 'week' then 2 when 'month' then 3 when 'quarter' then 4 else 5 end
{%- endmacro %}

{#- Months as whole numbers: twelve times the year, and the month. -#}
{% macro month_number(day) -%}
cast(extract(year from {{ day }}) * 12 + extract(month from {{ day }}) as integer)
{%- endmacro %}
