{#- A whole number with its first digits kept and the others zero, as text: bins that widen with the amount, exact on every engine. -#}
{% macro leading_digits(number, digits) -%}
rpad(substr(cast({{ number }} as {{ dbt.type_string() }}), 1, {{ digits }}), cast(length(cast({{ number }} as {{ dbt.type_string() }})) as integer), '0')
{%- endmacro %}

{#- Fen as whole yuan, halves up. -#}
{% macro whole_yuan(fen) -%}
cast(floor(({{ fen }} + 50) / 100.0) as bigint)
{%- endmacro %}
