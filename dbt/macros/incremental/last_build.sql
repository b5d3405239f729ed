{#-
  A build that starts from the last one recomputes only what differs. What the last complete build stood on goes by its names in the schema
  `applied` of the warehouse, given when everything else is done: a build that was killed, failed, or ran only in part leaves no word of its
  end, and the next one starts anew. So does one after a model, a seed or (the night sees to that) a macro changed. Where nothing is kept, on
  Spark, every build starts anew.
-#}
{% macro kept_models() -%}
{{ return([
    'int_unit_assignment', 'int_group_root', 'unit_ancestor', 'int_row_day', 'int_kpi_count_month',
    'int_kpi_link', 'int_kpi_series', 'int_kpi_period', 'int_kpi_unit_change', 'int_kpi_dispersion',
    'int_flag_window', 'int_flag_whole_month'
]) }}
{%- endmacro %}

{#-
  A kept model that is a table of its own in every build is not copied for the next one: it steps aside when it is made again. Until then
  its name in `applied` stands for the table of the last build, afterwards for what stepped aside.
-#}
{% macro steps_aside(node) -%}
{{ return(node.name in kept_models() and node.config.materialized == 'table') }}
{%- endmacro %}

{% macro replace_and_keep_last() %}
  {%- set made = this.incorporate(path={'identifier': this.identifier ~ '__made'}) -%}
  {%- set last = this.incorporate(path={'identifier': this.identifier ~ '__last'}) -%}
  {{ run_hooks(pre_hooks) }}
  {% call statement('main') -%}
    create or replace table {{ made }} as (
      {{ compiled_code }}
    )
  {%- endcall %}
  {% call statement('step_aside') -%}
    drop table if exists {{ last }};
    alter table {{ this }} rename to {{ last.identifier }};
    alter table {{ made }} rename to {{ this.identifier }};
    create or replace view {{ applied(this.identifier) }} as select * from {{ last }}
  {%- endcall %}
  {{ run_hooks(post_hooks) }}
  {% do persist_docs(this, model) %}
  {{ adapter.commit() }}
  {{ return({'relations': [this]}) }}
{% endmacro %}

{#- Whether this build starts from the last one, as it said when it began. -#}
{% macro builds_on_last() -%}
{{ return(adapter.dispatch('builds_on_last')()) }}
{%- endmacro %}

{% macro default__builds_on_last() -%}
{{ return(false) }}
{%- endmacro %}

{% macro duckdb__builds_on_last() -%}
  {%- if not execute or not flags.INTROSPECT or flags.WHICH not in ['build', 'run'] or model.resource_type not in ['model', 'test'] -%}
    {{ return(false) }}
  {%- endif -%}
  {{ return(run_query('select state from applied.run').columns[0].values()[0] == 'building on the last') }}
{%- endmacro %}

{#- Of what a model reads only when a build starts from the last one: dbt has to know the order before. -#}
{% macro waits_for(model_name) -%}
{%- if not execute -%}
{%- do ref(model_name) -%}
{%- endif -%}
{%- endmacro %}

{#- Asked of the catalogue, not of dbt's cache: that would open a transaction, which is rolled back when the hooks are over. -#}
{% macro _applied_run(column='state') -%}
  {%- set known = run_query("select count(*) from duckdb_tables() where database_name = '" ~ target.database ~ "' and schema_name = 'applied' and table_name = 'run'") -%}
  {%- if known.columns[0].values()[0] == 0 -%}
    {{ return(none) }}
  {%- endif -%}
  {{ return(run_query('select ' ~ column ~ ' from applied.run').columns[0].values()[0]) }}
{%- endmacro %}

{#- When a run starts: says what it builds on, and takes back the word that the last build was complete. -#}
{% macro begin_build() -%}
  {{ return(adapter.dispatch('begin_build')()) }}
{%- endmacro %}

{% macro default__begin_build() -%}
{%- endmacro %}

{% macro duckdb__begin_build() -%}
  {%- if execute and flags.INTROSPECT -%}
    {%- set is_complete = _applied_run() == 'complete' and _applied_run('project') == _project_checksum() -%}
    {%- set is_tested = is_complete and _applied_run('is_tested') -%}
    {%- if not is_complete or flags.FULL_REFRESH %}
    drop schema if exists applied cascade;
      {%- for name in kept_models() %}
    drop table if exists {{ name }}__last;
      {%- endfor %}
    {%- endif %}
    create schema if not exists applied;
    create or replace table applied.run as
    select
      '{{ 'building on the last' if is_complete and not flags.FULL_REFRESH else 'building anew' }}' as state,
      '{{ _project_checksum() }}' as project,
      {{ is_tested }} as is_tested
    {%- if is_complete and not flags.FULL_REFRESH -%}
    ;
    set global threads = {{ _threads_of_a_model() }};
    create or replace table {{ applied('touched_batch') }} as
    {{ touched_batches_now() }}
    {%- endif -%}
  {%- endif -%}
{%- endmacro %}

{#-
  Of a build that starts from the last one, models that are built at a time share the cores: small as they are, two that each take all of
  them wait for each other. A build that starts anew has models large enough for all cores.
-#}
{% macro _threads_of_a_model() -%}
{%- set cores = run_query("select current_setting('threads')").columns[0].values()[0] | int -%}
{{ [1, cores // target.threads] | max }}
{%- endmacro %}

{#- When a run ends: if it built every model, what it stood on is kept for the next, and last of all the word that it is complete. -#}
{% macro end_build() -%}
  {{ return(adapter.dispatch('end_build')()) }}
{%- endmacro %}

{% macro default__end_build() -%}
{%- endmacro %}

{% macro duckdb__end_build() -%}
  {%- if execute and flags.WHICH in ['build', 'run'] -%}
    {%- set built = results | selectattr('status', 'in', ['success', 'no-op']) | map(attribute='node.unique_id') | list -%}
    {%- set missing = _built_nodes() | map(attribute='unique_id') | reject('in', built) | list -%}
    {%- if not missing -%}
      {%- for node in _built_nodes() if node.name in kept_models() %}
    create or replace {{ 'view' if steps_aside(node) else 'table' }} {{ applied(node.name) }} as select * from {{ node.relation_name }};
      {%- endfor %}
      {%- for name in ['source', 'batch', 'night'] %}
    create or replace table {{ applied(name) }} as select * from {{ source('control', name) }};
      {%- endfor %}
      {%- if _applied_run() == 'building anew' %}
    create or replace table {{ applied('first_made_by') }} as
    {{ _first_made_by() }};
      {%- endif %}
    update applied.run set state = 'complete', is_tested = {{ _all_kept_rows_passed() }}
    {%- endif -%}
  {%- endif -%}
{%- endmacro %}

{#- The candidate keeps no write-ahead log (profiles.yml): here is where what was built reaches its file, or else all of it or nothing when dbt ends. -#}
{% macro write_candidate() -%}
  {{ return(adapter.dispatch('write_candidate')()) }}
{%- endmacro %}

{% macro default__write_candidate() -%}
{%- endmacro %}

{% macro duckdb__write_candidate() -%}
  {%- if execute and flags.WHICH in ['build', 'run', 'seed'] -%}
checkpoint {{ target.database }}
  {%- endif -%}
{%- endmacro %}

{#- The SQL that made all rows of the tables that later builds replace only in part: the audit follows personal columns through it too. -#}
{% macro _first_made_by() -%}
select
    cast(null as varchar) as unique_id,
    cast(null as varchar) as compiled_sql
where false
{%- for node in results | map(attribute='node') | selectattr('config.materialized', 'equalto', 'redone_rows') %}
union all
select
    '{{ node.unique_id }}',
    '{{ node.compiled_code | replace("'", "''") }}'
{%- endfor -%}
{%- endmacro %}

{% macro _built_nodes() -%}
{{ return(graph.nodes.values() | selectattr('resource_type', 'in', ['model', 'seed']) | rejectattr('config.materialized', 'equalto', 'ephemeral') | list) }}
{%- endmacro %}

{#- Of every model and seed as it is written now, and of the columns of what they read; macros are no part of dbt's graph. -#}
{% macro _project_checksum() -%}
  {%- set checksums = [] -%}
  {%- for node in _built_nodes() | sort(attribute='unique_id') -%}
    {%- do checksums.append(node.unique_id ~ node.checksum.checksum) -%}
  {%- endfor -%}
  {%- do checksums.extend(_tests_of_kept_rows()) -%}
  {%- for source in graph.sources.values() | sort(attribute='unique_id') -%}
    {%- do checksums.append(source.unique_id ~ source.columns.keys() | join(',')) -%}
  {%- endfor -%}
{{ return(local_md5(checksums | join(' '))) }}
{%- endmacro %}
