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
