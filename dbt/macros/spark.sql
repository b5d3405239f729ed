{#-
  What Spark says differently, in one place: dbt resolves these before its own. The session's time zone is UTC and `timestamp` has no zone
  (profiles.yml), so that a moment is the same text on both engines.
-#}

{% macro spark__dateadd(datepart, interval, from_date_or_timestamp) -%}
{%- if datepart in ('day', 'week') -%}
date_add({{ from_date_or_timestamp }}, cast({{ interval }} * {{ 7 if datepart == 'week' else 1 }} as int))
{%- elif datepart in ('month', 'quarter', 'year') -%}
add_months({{ from_date_or_timestamp }}, cast({{ interval }} * {{ {'month': 1, 'quarter': 3, 'year': 12}[datepart] }} as int))
{%- else -%}
timestampadd({{ datepart }}, {{ interval }}, {{ from_date_or_timestamp }})
{%- endif -%}
{%- endmacro %}

{% macro spark__datediff(first_date, second_date, datepart) -%}
{%- if datepart == 'day' -%}
datediff({{ second_date }}, {{ first_date }})
{%- elif datepart == 'second' -%}
(unix_seconds(cast({{ second_date }} as timestamp_ltz)) - unix_seconds(cast({{ first_date }} as timestamp_ltz)))
{%- else -%}
{{ exceptions.raise_compiler_error('datediff in ' ~ datepart ~ 's is not said for Spark: macros/spark.sql') }}
{%- endif -%}
{%- endmacro %}

{#- Of a part that it does not know (a minute), Spark's trunc makes null. -#}
{% macro spark__date_trunc(datepart, date) -%}
{%- if datepart in ('week', 'month', 'quarter', 'year') -%}
trunc({{ date }}, '{{ datepart }}')
{%- else -%}
cast(date_trunc('{{ datepart }}', {{ date }}) as timestamp_ntz)
{%- endif -%}
{%- endmacro %}

{% macro spark__last_day(date, datepart) -%}
{%- if datepart != 'month' -%}
{{ exceptions.raise_compiler_error('the last day of a ' ~ datepart ~ ' is not said for Spark: macros/spark.sql') }}
{%- endif -%}
last_day({{ date }})
{%- endmacro %}

{% macro spark__split_part(string_text, delimiter_text, part_number) -%}
split_part({{ string_text }}, {{ delimiter_text }}, {{ part_number }})
{%- endmacro %}

{% macro spark__listagg(measure, delimiter_text, order_by_clause, limit_num) -%}
listagg({{ measure }}, {{ delimiter_text }}) within group ({{ order_by_clause }})
{%- endmacro %}

{#- Tables over the files of the pool. The columns are those declared, so that no file is opened to learn them. -#}
{% macro spark__register_pool() -%}
  {%- if execute and flags.INTROSPECT -%}
    {%- for schema in ['pool', 'control'] -%}
      {%- do run_query('create schema if not exists ' ~ schema) -%}
    {%- endfor -%}
    {%- for table in graph.sources.values() if table.schema in ['pool', 'control'] -%}
      {%- set files = env_var('POOL_HOME') ~ ('/pool/' ~ table.identifier if table.schema == 'pool'
                      else '/warehouse/control/' ~ table.identifier ~ '.parquet') -%}
      {%- set columns = [] -%}
      {%- for column in table.columns.values() -%}
        {%- do columns.append('`' ~ column.name ~ '` ' ~ _spark_type(column.config.meta.type)) -%}
      {%- endfor -%}
      {%- for name, meta in table.source_meta.get('every_row', {}).items() -%}
        {%- do columns.append('`' ~ name ~ '` ' ~ _spark_type(meta.type)) -%}
      {%- endfor -%}
      {%- set name = '`' ~ table.schema ~ '`.`' ~ table.identifier ~ '`' -%}
      {%- do run_query('drop table if exists ' ~ name) -%}
      {%- do run_query(
            'create table ' ~ name ~ ' (' ~ columns | join(', ') ~ ') using parquet options (path ' ~ _spark_text(files) ~ ", recursiveFileLookup 'true')") -%}
    {%- endfor -%}
  {%- endif -%}
{%- endmacro -%}

{% macro _spark_type(logical) -%}
  {{ return({'text': 'string', 'varchar': 'string', 'integer': 'bigint', 'timestamp': 'timestamp_ntz'}.get(logical, logical)) }}
{%- endmacro %}

{% macro _spark_text(value) -%}
  {{ return('null' if value is none else "'" ~ value | replace('\\', '\\\\') | replace("'", "\\'") ~ "'") }}
{%- endmacro %}

{#- Each table is Parquet files in a folder of its own below the home; what is left there of a build before is overwritten. -#}
{% materialization table, adapter='spark', supported_languages=['sql'] %}
  {{ return(_spark_table()) }}
{% endmaterialization %}

{#- Views too: a view is nowhere once a local session has ended, and Spark would compute it anew for every model that reads it. -#}
{% materialization view, adapter='spark', supported_languages=['sql'] %}
  {{ return(_spark_table()) }}
{% endmaterialization %}

{% macro _spark_table() -%}
  {%- set target = this.incorporate(type='table') -%}
  {{ run_hooks(pre_hooks) }}
  {%- do run_query('drop table if exists ' ~ target) -%}
  {% call statement('main') -%}
    create table {{ target }} {{ _spark_storage() }} as
    {{ compiled_code }}
  {%- endcall %}
  {{ run_hooks(post_hooks) }}
  {{ return({'relations': [target]}) }}
{%- endmacro %}

{% macro _spark_storage() -%}
using parquet location {{ _spark_text(env_var('POOL_HOME') ~ '/warehouse/spark/' ~ this.identifier) }}
{%- endmacro %}

{#- A seed is one statement that brings its rows along: a cluster does not see the files of this machine. As on DuckDB, what has no type is text. -#}
{% materialization seed, adapter='spark' %}
  {%- set target = this.incorporate(type='table') -%}
  {%- set rows = _seed_as_text() -%}
  {%- set types = config.get('column_types', {}) -%}
  {{ run_hooks(pre_hooks) }}
  {%- do run_query('drop table if exists ' ~ target) -%}
  {% call statement('main') -%}
    create table {{ target }} {{ _spark_storage() }} as
    select
      {%- for column in rows.column_names %}
      cast(`{{ column }}` as {{ _spark_type(types.get(column, 'text')) }}) as `{{ column }}`{% if not loop.last %},{% endif %}
      {%- endfor %}
    from values
      {%- for row in rows.rows %}
      ({% for value in row %}{{ _spark_text(value) }}{% if not loop.last %}, {% endif %}{% endfor %}){% if not loop.last %},{% endif %}
      {%- endfor %}
      as seed({% for column in rows.column_names %}`{{ column }}`{% if not loop.last %}, {% endif %}{% endfor %})
  {%- endcall %}
  {% do store_result('agate_table', response='OK', agate_table=rows) %}
  {{ run_hooks(post_hooks) }}
  {{ return({'relations': [target]}) }}
{% endmaterialization %}

{#- dbt guesses types but of the columns that have one declared, and reads those as text: so all are declared while it reads. -#}
{% macro _seed_as_text() -%}
  {%- set declared = config.get('column_types') -%}
  {%- set undeclared = load_agate_table().column_names | reject('in', declared) | list -%}
  {%- for column in undeclared -%}
    {%- do declared.update({column: 'text'}) -%}
  {%- endfor -%}
  {{ return(load_agate_table()) }}
{%- endmacro %}
