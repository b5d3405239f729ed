{#- Days after which the last batch of a source of a regular cadence is no longer fresh; null for an irregular one. -#}
{% macro fresh_within_days(cadence) -%}
    case {{ cadence }}
        {%- for name, days in {'daily': 1, 'weekly': 7, 'monthly': 31, 'quarterly': 92, 'yearly': 366}.items() %}
        when '{{ name }}' then {{ days }}
        {%- endfor %}
    end
{%- endmacro %}
