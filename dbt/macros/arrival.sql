{#-
  Why the time of arrival of an incident says nothing, as branches of a `case`: of rows with is_related_call, is_dispatched,
  report_arrive and dispatch_arrive (seconds), is_arrived_when_dispatched.
-#}
{% macro when_arrival_is_invalid() -%}
when is_related_call then 'related_call'
            when not is_dispatched then 'not_dispatched'
            when report_arrive is null then 'missing'
            when report_arrive < 0 or dispatch_arrive < 0 then 'negative'
            when report_arrive = 0 or is_arrived_when_dispatched then 'identical'
{%- endmacro %}
