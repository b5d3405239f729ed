{#-
  Tables and views of the candidate are replaced in place, by one statement each. Nobody reads a candidate while it is built, so the
  adapter's swap through an intermediate and a backup relation (which lets readers go on) would only cost time.
-#}
{% materialization table, adapter='duckdb', supported_languages=['sql'] %}
  {{ return(replace_and_keep_last() if steps_aside(model) and builds_on_last() else replace_in_place('table')) }}
{% endmaterialization %}

{% materialization view, adapter='duckdb', supported_languages=['sql'] %}
  {{ return(replace_in_place('view')) }}
{% endmaterialization %}

{% macro replace_in_place(kind, row_order='') %}
  {%- set existing = load_cached_relation(this) -%}
  {%- set target = this.incorporate(type=kind) -%}
  {{ run_hooks(pre_hooks) }}
  {%- if existing is not none and existing.type != kind %}
    {% do adapter.drop_relation(existing) %}
  {%- endif %}
  {% call statement('main') -%}
    create or replace {{ kind }} {{ target }} as (
      {%- if row_order %}
      select * from (
      {%- endif %}
      {{ compiled_code }}
      {%- if row_order %}
      ) as made order by {{ row_order }}
      {%- endif %}
    )
  {%- endcall %}
  {{ run_hooks(post_hooks) }}
  {% do persist_docs(target, model) %}
  {{ adapter.commit() }}
  {{ return({'relations': [target]}) }}
{% endmacro %}

{#-
  A seed is read in one statement, every column as text but those that its YAML gives a type; an empty field is null. Nothing is
  guessed from the rows, and a seed that gained a column replaces the table of before.
-#}
{% materialization seed, adapter='duckdb' %}
  {%- set types = config.get('column_types', {}) -%}
  {%- set existing = load_cached_relation(this) -%}
  {%- set target = this.incorporate(type='table') -%}
  {{ run_hooks(pre_hooks) }}
  {%- if existing is not none and existing.type != 'table' %}
    {% do adapter.drop_relation(existing) %}
  {%- endif %}
  {% call statement('main') -%}
    create or replace table {{ target }} as (
      select *
        {%- if types %} replace (
        {%- for column, type in types.items() %}cast({{ column }} as {{ type }}) as {{ column }}{% if not loop.last %}, {% endif %}{% endfor -%}
        )
        {%- endif %}
      from read_csv(
        '{{ (invocation_args_dict.project_dir ~ '/' ~ model.original_file_path) | replace("'", "''") }}', header = true, all_varchar = true, delim = ',', quote = '"', escape = '"', nullstr = '', hive_partitioning = false
      )
    )
  {%- endcall %}
  {#- dbt asks for the rows it expects to have read itself -#}
  {% do store_result('agate_table', response='OK', agate_table=load_result('main')['table']) %}
  {{ run_hooks(post_hooks) }}
  {% do persist_docs(target, model) %}
  {{ adapter.commit() }}
  {{ return({'relations': [target]}) }}
{% endmaterialization %}
