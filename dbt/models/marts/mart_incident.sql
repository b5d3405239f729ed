{% set columns = [
    ('incidents', 'INC-1', 'numerator', ''),
    ('incidents_yoy_ratio', 'INC-1', 'yoy_ratio', ''),
    ('incidents_yoy_verdict', 'INC-1', 'yoy_verdict', ''),
    ('incidents_pop_ratio', 'INC-1', 'pop_ratio', ''),
    ('incidents_pop_verdict', 'INC-1', 'pop_verdict', ''),
    ('effective', 'INC-2', 'numerator', ''),
    ('effective_share', 'INC-2', 'value', ''),
    ('effective_share_lower95', 'INC-2', 'lower95', ''),
    ('effective_share_upper95', 'INC-2', 'upper95', ''),
    ('excluded_invalid', 'INC-2', 'numerator', 'excluded:invalid'),
    ('excluded_repeat', 'INC-2', 'numerator', 'excluded:repeat'),
    ('excluded_chase', 'INC-2', 'numerator', 'excluded:chase'),
    ('excluded_officer', 'INC-2', 'numerator', 'excluded:officer'),
    ('excluded_nuisance', 'INC-2', 'numerator', 'excluded:nuisance'),
    ('excluded_consultation', 'INC-2', 'numerator', 'excluded:consultation'),
    ('dispatched', 'INC-5', 'denominator', ''),
    ('returned', 'INC-5', 'numerator', ''),
    ('returned_share', 'INC-5', 'value', ''),
    ('returned_share_lower95', 'INC-5', 'lower95', ''),
    ('returned_share_upper95', 'INC-5', 'upper95', ''),
    ('street_incidents', 'INC-6', 'numerator', ''),
    ('road_metre_days', 'INC-6', 'denominator', ''),
    ('street_incidents_per_km_day', 'INC-6', 'value', ''),
    ('street_incidents_per_km_day_lower95', 'INC-6', 'lower95', ''),
    ('street_incidents_per_km_day_upper95', 'INC-6', 'upper95', ''),
] -%}
{{ config(materialized=kept_table(), meta={'wide_columns': columns}) }}
with {{ wide_mart(columns) }}

select * from wide
