{#-
  A view of what is wrong with a whole table holds nothing. Nights leave such tests to the audit, which runs them on the finished candidate:
  what has to look at everything is no part of a build that starts from the last one.
-#}
{% test no_rows(model) %}
select * from {{ model }}
{% endtest %}
