{% set columns = [
    ('online_minutes', 'EQ-1', 'numerator', ''),
    ('scheduled_minutes', 'EQ-1', 'denominator', ''),
    ('online_share', 'EQ-1', 'value', ''),
    ('online_share_cameras', 'EQ-1', 'value', 'device_kind:camera'),
    ('online_share_face_cameras', 'EQ-1', 'value', 'device_kind:face_camera'),
    ('online_share_gates', 'EQ-1', 'value', 'device_kind:gate'),
    ('online_share_radios', 'EQ-1', 'value', 'device_kind:radio'),
    ('online_share_mobile_terminals', 'EQ-1', 'value', 'device_kind:mobile_terminal'),
    ('online_share_site_terminals', 'EQ-1', 'value', 'device_kind:site_terminal'),
    ('device_days', 'EQ-1.days', 'numerator', ''),
    ('device_days_not_scheduled', 'EQ-1.days', 'numerator', 'excluded:not_scheduled'),
    ('gate_records', 'EQ-2.volume', 'numerator', ''),
    ('gate_days', 'EQ-2.gap', 'denominator', ''),
    ('gate_days_without_record', 'EQ-2.gap', 'numerator', ''),
    ('gate_gap_share', 'EQ-2.gap', 'value', ''),
    ('gate_gap_share_lower95', 'EQ-2.gap', 'lower95', ''),
    ('gate_gap_share_upper95', 'EQ-2.gap', 'upper95', ''),
    ('passages', 'EQ-2.passages', 'numerator', ''),
    ('fleet_online_share', 'EQ-1.fleet', 'value', ''),
    ('coverage_share', 'EQ-3', 'value', ''),
    ('pieces', 'EQ-4', 'numerator', ''),
] -%}
{{ config(materialized=kept_table(), meta={'wide_columns': columns}) }}
with {{ wide_mart(columns) }}

select
    wide.*,
    cast(wide.gate_records as double) / nullif(wide.gate_days, 0) as records_per_gate_day
from wide
