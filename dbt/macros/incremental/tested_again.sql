{#-
  Tests of fct_kpi_count that look at one row, or at the rows of one day, need not look again at months of which nothing counted differs, by
  the content of their rows: they say so by `tested_again` in their meta. Where the last build did not run all of them, or one of them
  failed, they look at everything. Of figures no such proof is kept: what looks at all of them is left to the audit (dbt/models/audit).
-#}
{% macro tests_again() -%}
{{ return(
    target.type == 'duckdb' and flags.WHICH == 'build' and config.get('meta', {}).tested_again is true
    and duckdb__builds_on_last() and _applied_run('is_tested')
) }}
{%- endmacro %}

{#- What such a test reads of a model. -#}
{% macro rows_tested(relation) -%}
{%- if tests_again() -%}
(select * from {{ relation }} where {% if units_differ() %}true{% else %}{{ in_differing_month() }}{% endif %})
{%- else -%}
{{ relation }}
{%- endif -%}
{%- endmacro %}

{#- Days of a month of which anything counted differs, and days that no month should have; as literals, for the engine looks for them where it reads. -#}
{% macro in_differing_month() -%}
{%- set months -%}
select
    make_date((month_no - 1) // 12, (month_no - 1) % 12 + 1, 1) as first_day,
    last_day(first_day) as last_day
from (
    select distinct month_no
    from {{ differing_relations(redone_relation('int_kpi_count_month'), applied('int_kpi_count_month'), ['kpi_id', 'unit_code', 'month_no', 'content']) }}
)
order by month_no
{%- endset -%}
day is null or day > cast('{{ run_query('select as_of from ' ~ source('control', 'night')).columns[0].values()[0] }}' as date)
{%- for first_day, last_day in run_query(months).rows %} or day between cast('{{ first_day }}' as date) and cast('{{ last_day }}' as date){% endfor -%}
{%- endmacro %}

{% macro _tests_of_kept_rows() -%}
  {%- set found = [] -%}
  {%- for node in graph.nodes.values() if node.resource_type == 'test' and node.config.meta.tested_again is true -%}
    {%- do found.append(node.unique_id) -%}
  {%- endfor -%}
{{ return(found | sort) }}
{%- endmacro %}

{% macro _all_kept_rows_passed() -%}
{%- set passed = results | selectattr('status', 'equalto', 'pass') | map(attribute='node.unique_id') | list -%}
{{ return(_tests_of_kept_rows() | reject('in', passed) | list | length == 0) }}
{%- endmacro %}
