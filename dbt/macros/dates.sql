{#- The open ends of a validity, so that ranges compare without null. -#}
{% macro first_moment() -%} cast('0001-01-01' as date) {%- endmacro %}
{% macro last_moment() -%} cast('9999-12-31' as date) {%- endmacro %}

{% macro add_days(day, days) -%}
    cast({{ dbt.dateadd('day', days, day) }} as date)
{%- endmacro %}

{#- The same day n months on; the last day of a month stays a last day, so that figures known by month keep whole months. -#}
{% macro add_months(day, months) -%}
    case
        when {{ day }} = {{ dbt.last_day(day, 'month') }} then {{ dbt.last_day(dbt.dateadd('month', months, day), 'month') }}
        else cast({{ dbt.dateadd('month', months, day) }} as date)
    end
{%- endmacro %}

{% macro days_between(first_day, later_day) -%}
    {{ dbt.datediff(first_day, later_day, 'day') }}
{%- endmacro %}

{% macro seconds_between(first_moment, later_moment) -%}
    {{ dbt.datediff(first_moment, later_moment, 'second') }}
{%- endmacro %}
