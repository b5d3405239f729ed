{#-
  A table of which a build that starts from the last one recomputes some rows: the model selects those alone, `redone_where` of its
  config says which rows of the table they replace.
-#}
{% materialization redone_rows, adapter='duckdb', supported_languages=['sql'] %}
  {%- set existing = load_cached_relation(this) -%}
  {%- if not builds_on_last() -%}
    {{ return(replace_in_place('table')) }}
  {%- endif -%}
  {%- if existing is none or not existing.is_table -%}
    {{ exceptions.raise_compiler_error(this ~ ' is missing though the last build was complete: build with --full-refresh') }}
  {%- endif -%}
  {%- set redone = this.identifier ~ '__redone' -%}
  {{ run_hooks(pre_hooks) }}
  {% call statement('select_redone') -%}
    create or replace temp table {{ redone }} as (
      {{ compiled_code }}
    )
  {%- endcall %}
  {% call statement('delete_redone') -%}
    delete from {{ existing }} where {{ redone_where(this.identifier) }}
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
