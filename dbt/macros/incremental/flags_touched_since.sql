{#-
  From which day on what the flags look at may differ from the last build: the first touched month of the figures that they read, or all of
  time if units stand elsewhere. As a literal: it keeps the engine from reading what is older.
-#}
{% macro flags_touched_since() -%}
{%- set since -%}
select
    case
        when exists (select 1 from {{ differing_relations(redone_relation('unit_ancestor'), applied('unit_ancestor'), ['unit_code', 'ancestor_code', 'valid_from', 'valid_to']) }} as link)
            then {{ first_moment() }}
        else (
            select make_date((min(month_no) - 1) // 12, (min(month_no) - 1) % 12 + 1, 1)
            from {{ redone_relation('int_kpi_touched_month') }}
            where kpi_id in (select kpi_id from {{ redone_relation('integrity_flag_term') }})
        )
    end
{%- endset -%}
cast('{{ run_query(since).columns[0].values()[0] or '9999-12-31' }}' as date)
{%- endmacro %}

{#-
  From which day on what a flag compares may differ from the last build: a window, a month that is whole now or was, or (a baseline is of the
  year before, a change of a year earlier) what comes after them. As a literal.
-#}
{% macro windows_touched_since() -%}
{%- set since -%}
select min(day)
from (
    select {{ flags_touched_since() }} as day
    union all
    select period_end as day
    from {{ differing_relations(redone_relation('int_flag_window'), applied('int_flag_window'), ['*']) }} as flag_window
    union all
    select make_date((month_no - 1) // 12, (month_no - 1) % 12 + 1, 1) as day
    from {{ differing_relations(redone_relation('int_flag_whole_month'), applied('int_flag_whole_month'), ['figure', 'root_code', 'month_no']) }} as whole_month
) as touched
{%- endset -%}
cast('{{ run_query(since).columns[0].values()[0] }}' as date)
{%- endmacro %}
