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
