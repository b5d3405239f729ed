{% set columns = [
    ('decisions_due', 'REG-1', 'denominator', ''),
    ('decided_in_time', 'REG-1', 'numerator', ''),
    ('in_time_share', 'REG-1', 'value', ''),
    ('in_time_share_lower95', 'REG-1', 'lower95', ''),
    ('in_time_share_upper95', 'REG-1', 'upper95', ''),
    ('in_time_share_yoy_value', 'REG-1', 'yoy_value', ''),
    ('in_time_share_yoy_verdict', 'REG-1', 'yoy_verdict', ''),
    ('decided_late', 'REG-1', 'denominator', 'timing:late'),
    ('undecided', 'REG-1', 'denominator', 'timing:open'),
    ('withdrawn', 'REG-1', 'numerator', 'excluded:withdrawn'),
    ('withdrawn_late', 'REG-1', 'denominator', 'timing:withdrawn'),
    ('not_due', 'REG-1', 'numerator', 'excluded:not_due'),
    ('criminal_due', 'REG-1', 'denominator', 'category:criminal'),
    ('criminal_in_time_share', 'REG-1', 'value', 'category:criminal'),
    ('administrative_due', 'REG-1', 'denominator', 'category:administrative'),
    ('administrative_in_time_share', 'REG-1', 'value', 'category:administrative'),
    ('extended_due', 'REG-1', 'denominator', 'limit:extended'),
    ('extended_in_time_share', 'REG-1', 'value', 'limit:extended'),
    ('normal_in_time_share', 'REG-1', 'value', 'limit:normal'),
    ('case_like', 'REG-2', 'denominator', ''),
    ('unregistered', 'REG-2', 'numerator', ''),
    ('unregistered_share', 'REG-2', 'value', ''),
    ('unregistered_share_lower95', 'REG-2', 'lower95', ''),
    ('unregistered_share_upper95', 'REG-2', 'upper95', ''),
    ('unregistered_share_yoy_value', 'REG-2', 'yoy_value', ''),
    ('unregistered_share_yoy_verdict', 'REG-2', 'yoy_verdict', ''),
    ('case_like_immature', 'REG-2', 'numerator', 'excluded:immature'),
] -%}
{{ config(materialized=kept_table(), meta={'wide_columns': columns}) }}
with {{ wide_mart(columns) }}

select
    wide.*,
    {{ share('extended_due', 'decisions_due') }} as extended_share
from wide
