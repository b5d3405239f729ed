{#- The last day that counts for a case of a cohort figure: its own plus the horizon, a row of the seed `cohort_horizon`; without one, no day is the last. -#}
{% macro cohort_due_on(day) -%}
case
            when horizon.horizon_days is not null then {{ add_days(day, 'horizon.horizon_days') }}
            when horizon.horizon_months is not null then {{ add_months(day, 'horizon.horizon_months') }}
            else {{ last_moment() }}
        end
{%- endmacro %}
