{% set columns = [
    ('incidents', 'INC-1', 'numerator', ''),
    ('incidents_yoy_ratio', 'INC-1', 'yoy_ratio', ''),
    ('incidents_yoy_lower95', 'INC-1', 'yoy_lower95', ''),
    ('incidents_yoy_upper95', 'INC-1', 'yoy_upper95', ''),
    ('incidents_yoy_verdict', 'INC-1', 'yoy_verdict', ''),
    ('incidents_pop_ratio', 'INC-1', 'pop_ratio', ''),
    ('incidents_pop_verdict', 'INC-1', 'pop_verdict', ''),
    ('effective', 'INC-3.effective', 'numerator', ''),
    ('effective_yoy_ratio', 'INC-3.effective', 'yoy_ratio', ''),
    ('effective_yoy_lower95', 'INC-3.effective', 'yoy_lower95', ''),
    ('effective_yoy_upper95', 'INC-3.effective', 'yoy_upper95', ''),
    ('effective_yoy_verdict', 'INC-3.effective', 'yoy_verdict', ''),
    ('effective_pop_ratio', 'INC-3.effective', 'pop_ratio', ''),
    ('effective_pop_verdict', 'INC-3.effective', 'pop_verdict', ''),
    ('street_preventable', 'INC-4', 'numerator', ''),
    ('street_preventable_yoy_ratio', 'INC-4', 'yoy_ratio', ''),
    ('street_preventable_yoy_lower95', 'INC-4', 'yoy_lower95', ''),
    ('street_preventable_yoy_upper95', 'INC-4', 'yoy_upper95', ''),
    ('street_preventable_yoy_verdict', 'INC-4', 'yoy_verdict', ''),
    ('street_preventable_pop_ratio', 'INC-4', 'pop_ratio', ''),
    ('street_preventable_pop_verdict', 'INC-4', 'pop_verdict', ''),
    ('converted', 'INC-3.converted', 'numerator', ''),
    ('conversion_rate', 'INC-3.converted', 'value', ''),
    ('conversion_rate_lower95', 'INC-3.converted', 'lower95', ''),
    ('conversion_rate_upper95', 'INC-3.converted', 'upper95', ''),
    ('conversion_rate_yoy_value', 'INC-3.converted', 'yoy_value', ''),
] -%}
{{ config(materialized=kept_table(), meta={'wide_columns': columns}) }}
with {{ wide_mart(columns) }},

printed_list as (
    select max(list_version) as street_preventable_list_version
    from {{ ref('category_list') }}
    where list_id = 'street_preventable'
)

select
    wide.*,
    coalesce(wide.incidents, 0) - coalesce(wide.effective, 0) as excluded,
    1 - wide.incidents_yoy_ratio as incidents_drop_yoy,
    1 - wide.effective_yoy_ratio as effective_drop_yoy,
    1 - wide.street_preventable_yoy_ratio as street_preventable_drop_yoy,
    printed_list.street_preventable_list_version
from wide
cross join printed_list
