{#-
  Counts of which the rows of a day are made of the rows that other models hold of that day alone: those models stand in `counts_days_of` in
  the meta of the count, and a build that starts from the last one counts the days again on which any of them differs. KPIs of
  which that is not so stand in `kpis_whole`, and are counted whole.
-#}
{% macro rows_counted(model_name) -%}
{{- waits_for('int_touched_day') -}}
{%- if builds_on_last() -%}
(select * from {{ ref(model_name) }} where day in ({{ touched_days(config.get('meta').counts_days_of) }}))
{%- else -%}
{{ ref(model_name) }}
{%- endif -%}
{%- endmacro %}

{#- Cells that a count takes from another are made of the rows of their day, too; those of a count with KPIs that are counted whole are all read. -#}
{% macro cells_counted(model_name) -%}
{{- waits_for('int_touched_day') -}}
{%- set meta = config.get('meta', {}) -%}
{{ rows_counted(model_name) if meta.counts_days_of and not meta.kpis_whole else ref(model_name) }}
{%- endmacro %}

{#- As literals: the engine looks for them where it reads. -#}
{% macro touched_days(model_names) -%}
{%- set days = ['cast(null as date)'] -%}
{%- for day in run_query("select distinct day from " ~ redone_relation('int_touched_day') ~ " where model_name in ('" ~ model_names | join("', '") ~ "') order by day").columns[0].values() -%}
  {%- do days.append("cast('" ~ day ~ "' as date)") -%}
{%- endfor -%}
{{ days | join(', ') }}
{%- endmacro %}
