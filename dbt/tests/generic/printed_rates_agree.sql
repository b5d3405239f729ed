{#- Rates that a publisher printed and that its own counts do not give, at the digits printed nor without padding. -#}
{% test printed_rates_agree(model) %}
select *
from {{ model }}
where agreement = 'different'
{% endtest %}
