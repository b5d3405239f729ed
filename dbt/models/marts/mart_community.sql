{% set columns = [
    ('minutes_worked', 'TIME-1', 'denominator', ''),
    ('minutes_in_community', 'TIME-1', 'numerator', ''),
    ('time_share', 'TIME-1', 'value', ''),
    ('time_entries', 'TIME-1', 'denominator', 'heap:80'),
    ('time_entries_at_80_percent', 'TIME-1', 'numerator', 'heap:80'),
    ('tasks_planned', 'COM-1', 'denominator', ''),
    ('tasks_done', 'COM-1', 'numerator', ''),
    ('tasks_share', 'COM-1', 'value', ''),
    ('villages', 'COM-2', 'denominator', ''),
    ('villages_assigned', 'COM-2', 'numerator', ''),
    ('villages_assigned_share', 'COM-2', 'value', ''),
    ('entries_due', 'COM-3', 'denominator', ''),
    ('entries_updated', 'COM-3', 'numerator', ''),
    ('entries_updated_share', 'COM-3', 'value', ''),
    ('sites_planned', 'SITE-2', 'denominator', ''),
    ('sites_built', 'SITE-2', 'numerator', ''),
    ('sites_built_share', 'SITE-2', 'value', ''),
    ('alarm_tests', 'SITE-3', 'denominator', ''),
    ('alarm_tests_passed', 'SITE-3', 'numerator', ''),
    ('alarm_tests_passed_share', 'SITE-3', 'value', ''),
    ('alarm_tests_passed_lower95', 'SITE-3', 'lower95', ''),
    ('alarm_tests_passed_upper95', 'SITE-3', 'upper95', ''),
] -%}
{{ config(materialized=kept_table(), meta={'wide_columns': columns}) }}
with {{ wide_mart(columns) }}

select * from wide
