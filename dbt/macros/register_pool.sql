{#- Makes the Parquet files of the pool, and what the pool knows of itself, ordinary relations before anything reads them. -#}
{% macro register_pool() -%}
  {{ return(adapter.dispatch('register_pool')()) }}
{%- endmacro %}

{% macro duckdb__register_pool() -%}
  {%- if execute -%}
    {%- set home = env_var('POOL_HOME') | replace("'", "''") -%}
    {%- set statements = ['create schema if not exists pool', 'create schema if not exists control'] -%}
    {%- for table in graph.sources.values() if table.schema in ['pool', 'control'] -%}
      {%- set files = home ~ '/pool/' ~ table.identifier ~ '/*/*.parquet' if table.schema == 'pool'
                      else home ~ '/warehouse/control/' ~ table.identifier ~ '.parquet' -%}
      {%- do statements.append(
            'create or replace view "' ~ table.schema ~ '"."' ~ table.identifier ~ '" as '
            ~ "select * from read_parquet('" ~ files ~ "', union_by_name = true, hive_partitioning = false)") -%}
    {%- endfor -%}
    {{ statements | join(';\n') }}
  {%- endif -%}
{%- endmacro %}
