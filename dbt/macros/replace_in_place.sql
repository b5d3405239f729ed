{#-
  Tables and views of the candidate are replaced in place, by one statement each. Nobody reads a candidate while it is built, so the
  adapter's swap through an intermediate and a backup relation (which lets readers go on) would only cost time.
-#}
{% materialization table, adapter='duckdb', supported_languages=['sql'] %}
  {{ return(replace_in_place('table')) }}
{% endmaterialization %}

{% materialization view, adapter='duckdb', supported_languages=['sql'] %}
  {{ return(replace_in_place('view')) }}
{% endmaterialization %}

{% macro replace_in_place(kind) %}
  {%- set existing = load_cached_relation(this) -%}
  {%- set target = this.incorporate(type=kind) -%}
  {{ run_hooks(pre_hooks) }}
  {%- if existing is not none and existing.type != kind %}
    {% do adapter.drop_relation(existing) %}
  {%- endif %}
  {% call statement('main') -%}
    create or replace {{ kind }} {{ target }} as (
      {{ compiled_code }}
    )
  {%- endcall %}
  {{ run_hooks(post_hooks) }}
  {% do persist_docs(target, model) %}
  {{ adapter.commit() }}
  {{ return({'relations': [target]}) }}
{% endmacro %}
