{#-
  Bounds of the share satisfied over everybody eligible for a callback: whoever did not reply may be satisfied or not. Replies count
  whoever gave them, but those of incidents that are not eligible, or that the pool does not know, say nothing of the eligible: there are
  at most as many as such incidents were called, and in the worst case all of them are among the satisfied, in the best among the others.
-#}
{% macro callbacks_outside(attempted, called, replies) -%}
greatest(coalesce({{ attempted }}, {{ replies }}, 0) - coalesce({{ called }}, 0), 0)
{%- endmacro %}

{% macro eligible_worst_case(satisfied, outside, eligible) -%}
(greatest({{ satisfied }} - {{ outside }}, 0) / cast(nullif({{ eligible }}, 0) as double))
{%- endmacro %}

{% macro eligible_best_case(satisfied, replies, outside, eligible) -%}
(({{ eligible }} - greatest({{ replies }} - {{ satisfied }} - {{ outside }}, 0)) / cast(nullif({{ eligible }}, 0) as double))
{%- endmacro %}
