{#-
  Counts of which the rows of a day are made of the incidents of that day alone, under the KPIs named in the meta of the model: a build that
  starts from the last one counts the days again on which the incidents differ. Its other KPIs are counted whole.
-#}
{% macro incidents_counted() -%}
{{- waits_for('int_incident_day') -}}
{%- if builds_on_last() -%}
(select * from {{ ref('int_incident') }} where day in ({{ touched_days() }}))
{%- else -%}
{{ ref('int_incident') }}
{%- endif -%}
{%- endmacro %}

{#- As literals: the engine looks for them where it reads. -#}
{% macro touched_days() -%}
{%- set differing = differing_relations(redone_relation('int_incident_day'), applied('int_incident_day'), ['day', 'content']) -%}
{%- set days = ['cast(null as date)'] -%}
{%- for day in run_query('select distinct day from ' ~ differing ~ ' as differing order by day').columns[0].values() -%}
  {%- do days.append("cast('" ~ day ~ "' as date)") -%}
{%- endfor -%}
{{ days | join(', ') }}
{%- endmacro %}
