{#-
  A table of which a build that starts from the last one recomputes some rows: the model selects those alone, `rows_redone_of` says which
  rows of the table they replace. On engines that keep nothing it is a table like any other.
-#}
{% macro kept_table() -%}
{{ return('redone_rows' if target.type == 'duckdb' else 'table') }}
{%- endmacro %}

{% macro rows_redone_of(table_name, meta) -%}
{%- if meta.wide_columns -%}
period_start >= {{ touched_since(meta.wide_columns) }}
{%- elif meta.entity -%}
{{ in_touched_state(meta.entity) }}
{%- elif meta.rows_of -%}
{% if units_differ() %}true{% else %}{{ in_redone_state(meta.rows_of, meta.dated_by) }}{% endif %}
{%- elif meta.counts_days_of -%}
{% if meta.kpis_whole %}kpi_id in ('{{ meta.kpis_whole | join("', '") }}') or {% endif %}day in ({{ touched_days(meta.counts_days_of) }})
{%- elif meta.counts_months -%}
month_no >= {{ month_number(flags_touched_since()) }}
{%- elif meta.compares_windows -%}
period_end >= {{ windows_touched_since() }}
{%- else -%}
{{ redone_where(table_name) }}
{%- endif -%}
{%- endmacro %}

{#-
  In which order the rows stand when all of them are made anew, so that later builds pass over most of what they do not look for: counts
  and the rows they count by day, figures by KPI (the first digits of a period's key) and period.
-#}
{% macro order_made_anew(table_name, meta) -%}
{%- if meta.counts_days_of or meta.rows_of -%}
day
{%- elif table_name in ['int_kpi_value', 'int_kpi_figure'] -%}
period_key
{%- endif -%}
{%- endmacro %}

{% materialization redone_rows, adapter='duckdb', supported_languages=['sql'] %}
  {%- set existing = load_cached_relation(this) -%}
  {%- if not builds_on_last() -%}
    {{ return(replace_in_place('table', order_made_anew(this.identifier, config.get('meta', {})))) }}
  {%- endif -%}
  {%- if existing is none or not existing.is_table -%}
    {{ exceptions.raise_compiler_error(this ~ ' is missing though the last build was complete: build with --full-refresh') }}
  {%- endif -%}
  {%- set entity = config.get('meta', {}).entity -%}
  {%- if entity and touched_of(entity).is_empty -%}
    {% call statement('main') -%}
    select 'nothing was delivered'
    {%- endcall %}
    {{ return({'relations': [existing]}) }}
  {%- endif -%}
  {%- set redone = this.identifier ~ '__redone' -%}
  {{ run_hooks(pre_hooks) }}
  {% call statement('select_redone') -%}
    create or replace temp table {{ redone }} as (
      {{ compiled_code }}
    )
  {%- endcall %}
  {% call statement('delete_redone') -%}
    delete from {{ existing }} where {{ rows_redone_of(this.identifier, config.get('meta', {})) }}
  {%- endcall %}
  {% call statement('main') -%}
    insert into {{ existing }} by name select * from {{ redone }}
  {%- endcall %}
  {% call statement('drop_redone') -%}
    drop table {{ redone }}
  {%- endcall %}
  {{ run_hooks(post_hooks) }}
  {% do persist_docs(existing, model) %}
  {{ adapter.commit() }}
  {{ return({'relations': [existing]}) }}
{% endmaterialization %}
