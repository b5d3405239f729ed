{#- Rates that a publisher printed and that its own counts do not give at the digits printed. -#}
{% test printed_rates_agree(model) %}
select
    unit_code,
    kpi_id,
    period_end,
    figures_printed,
    figures_agreeing
from {{ model }}
where figures_agreeing < figures_printed
{% endtest %}
