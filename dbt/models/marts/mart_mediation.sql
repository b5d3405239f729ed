{% set columns = [
    ('disputes', 'MED-1', 'denominator', ''),
    ('agreements', 'MED-1', 'numerator', ''),
    ('settled_share', 'MED-1', 'value', ''),
    ('settled_share_lower95', 'MED-1', 'lower95', ''),
    ('settled_share_upper95', 'MED-1', 'upper95', ''),
    ('settled_share_yoy_value', 'MED-1', 'yoy_value', ''),
    ('settled_share_yoy_verdict', 'MED-1', 'yoy_verdict', ''),
    ('overdue_open', 'MED-1', 'denominator', 'result:open'),
    ('no_agreement', 'MED-1', 'denominator', 'result:no_agreement'),
    ('withdrawn', 'MED-1', 'denominator', 'result:withdrawn'),
    ('referred', 'MED-1', 'denominator', 'result:referred'),
    ('duplicate_records', 'MED-1', 'numerator', 'excluded:duplicate_dispute'),
    ('not_due', 'MED-1', 'numerator', 'excluded:not_due'),
    ('mature_90_days', 'MED-2.90', 'denominator', ''),
    ('recurred_90_days', 'MED-2.90', 'numerator', ''),
    ('recurred_90_days_share', 'MED-2.90', 'value', ''),
    ('mature_180_days', 'MED-2.180', 'denominator', ''),
    ('recurred_180_days', 'MED-2.180', 'numerator', ''),
    ('recurred_180_days_share', 'MED-2.180', 'value', ''),
    ('parties_unknown', 'MED-2.90', 'numerator', 'excluded:parties_unknown'),
    ('stations', 'MED-3', 'denominator', ''),
    ('stations_with_room', 'MED-3', 'numerator', ''),
    ('stations_with_room_share', 'MED-3', 'value', ''),
] -%}
{{ config(materialized=kept_table(), meta={'wide_columns': columns}) }}
with {{ wide_mart(columns) }}

select * from wide
