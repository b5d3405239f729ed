{#- The flags of seeds/integrity_flag.csv, in the order in which a sentence names them; compiling reads no seed, so they stand here too. -#}
{% macro integrity_flags() -%}
{{ return([
    'quick_clearance', 'quick_clearance_chart', 'cleared_before_filing', 'cleared_before_filing_chart', 'early_lag',
    'early_lag_chart', 'early_exit', 'conversion_funnel', 'conversion_fall', 'excluded_incidents', 'excluded_incidents_chart',
    'excluded_arrivals', 'excluded_arrivals_chart', 'net_downgrade', 'downgrade_chart', 'late_edits', 'late_edits_chart',
    'reopened', 'invalid', 'invalid_chart', 'withdrawn', 'withdrawn_chart', 'deleted', 'deleted_chart', 'coverage_gap',
    'coverage_gap_chart', 'satisfaction_gap', 'satisfaction_gap_chart', 'no_phone', 'no_phone_chart', 'quota_months',
    'regular_entries', 'recurrence', 'recurrence_chart', 'case_clusters', 'case_clusters_chart', 'cases_per_incident',
    'cases_per_incident_chart', 'round_arrivals', 'round_arrivals_chart', 'round_arrivals_fifth', 'digit_preference',
    'arrival_share', 'arrival_share_chart', 'rounded_hours', 'ratio_without_work', 'extended_limits', 'extended_limits_chart'
]) }}
{%- endmacro %}

{% macro integrity_risks() -%}
{{ return(['early_clearance', 'recording', 'downgrading', 'no_criming', 'callbacks', 'mediation', 'splitting', 'timestamps', 'work_down']) }}
{%- endmacro %}

{#-
  From which day on what the flags look at may differ from the last build: the first touched year of the figures that they read, or all of
  time if units stand elsewhere. As a literal: it keeps the engine from reading what is older.
-#}
{% macro flags_touched_since() -%}
{%- set since -%}
select
    case
        when exists (select 1 from {{ differing_relations(redone_relation('unit_ancestor'), applied('unit_ancestor'), ['unit_code', 'ancestor_code', 'valid_from', 'valid_to']) }} as link)
            then {{ first_moment() }}
        else (
            select make_date(min(year_no), 1, 1)
            from {{ redone_relation('int_kpi_touched_year') }}
            where kpi_id in (select kpi_id from {{ redone_relation('integrity_flag_term') }})
        )
    end
{%- endset -%}
cast('{{ run_query(since).columns[0].values()[0] or '9999-12-31' }}' as date)
{%- endmacro %}
