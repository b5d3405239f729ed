{% set columns = [
    ('minutes_planned', 'PAT-1', 'denominator', ''),
    ('minutes_patrolled', 'PAT-1', 'numerator', ''),
    ('patrolled_share', 'PAT-1', 'value', ''),
    ('cell_minutes_planned', 'PAT-1.cell', 'denominator', ''),
    ('cell_minutes_patrolled', 'PAT-1.cell', 'numerator', ''),
    ('cell_patrolled_share', 'PAT-1.cell', 'value', ''),
    ('joint_stations', 'PAT-2.stations', 'numerator', ''),
    ('joint_shifts_planned', 'PAT-2', 'denominator', ''),
    ('joint_shifts_staffed', 'PAT-2', 'numerator', ''),
    ('joint_shifts_staffed_share', 'PAT-2', 'value', ''),
    ('joint_force', 'PAT-3.joint', 'numerator', ''),
    ('volunteers', 'PAT-3.volunteers', 'numerator', ''),
    ('volunteer_organisations', 'PAT-3.organisations', 'numerator', ''),
    ('patrol_staff', 'PAT-3.staff', 'numerator', ''),
] -%}
{{ config(materialized=kept_table(), meta={'wide_columns': columns}) }}
with {{ wide_mart(columns) }}

select * from wide
