{% set columns = [
    ('accidents', 'TR-1.accidents', 'numerator', ''),
    ('accidents_yoy_ratio', 'TR-1.accidents', 'yoy_ratio', ''),
    ('accidents_yoy_verdict', 'TR-1.accidents', 'yoy_verdict', ''),
    ('deaths', 'TR-1.deaths', 'numerator', ''),
    ('deaths_yoy_ratio', 'TR-1.deaths', 'yoy_ratio', ''),
    ('deaths_yoy_lower95', 'TR-1.deaths', 'yoy_lower95', ''),
    ('deaths_yoy_upper95', 'TR-1.deaths', 'yoy_upper95', ''),
    ('deaths_yoy_verdict', 'TR-1.deaths', 'yoy_verdict', ''),
    ('ksi', 'TR-1.ksi', 'numerator', ''),
    ('ksi_yoy_ratio', 'TR-1.ksi', 'yoy_ratio', ''),
    ('ksi_yoy_lower95', 'TR-1.ksi', 'yoy_lower95', ''),
    ('ksi_yoy_upper95', 'TR-1.ksi', 'yoy_upper95', ''),
    ('ksi_yoy_verdict', 'TR-1.ksi', 'yoy_verdict', ''),
    ('vehicle_days', 'TR-2', 'denominator', ''),
    ('deaths_per_10000_vehicles', 'TR-2', 'value', ''),
    ('deaths_per_10000_vehicles_lower95', 'TR-2', 'lower95', ''),
    ('deaths_per_10000_vehicles_upper95', 'TR-2', 'upper95', ''),
    ('accidents_without_casualties', 'TR-1.accidents', 'numerator', 'excluded:no_casualty'),
    ('violations', 'TR-3', 'numerator', ''),
] -%}
{{ config(materialized=kept_table(), meta={'wide_columns': columns}) }}
with {{ wide_mart(columns) }}

select * from wide
