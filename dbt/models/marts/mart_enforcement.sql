{% set columns = [
    ('issues_due', 'LAW-1', 'denominator', ''),
    ('issues_rectified', 'LAW-1', 'numerator', ''),
    ('issues_rectified_share', 'LAW-1', 'value', ''),
    ('issues_rectified_share_lower95', 'LAW-1', 'lower95', ''),
    ('issues_rectified_share_upper95', 'LAW-1', 'upper95', ''),
    ('issues_rectified_share_yoy_value', 'LAW-1', 'yoy_value', ''),
    ('issues_rectified_share_yoy_verdict', 'LAW-1', 'yoy_verdict', ''),
    ('issues_done_late', 'LAW-1', 'denominator', 'timing:late'),
    ('issues_overdue_open', 'LAW-1', 'denominator', 'timing:open'),
    ('issues_withdrawn', 'LAW-1', 'numerator', 'excluded:withdrawn'),
    ('issues_withdrawn_late', 'LAW-1', 'denominator', 'timing:withdrawn'),
    ('issues_not_due', 'LAW-1', 'numerator', 'excluded:not_due'),
    ('stages_due', 'LAW-2', 'denominator', ''),
    ('stages_overdue', 'LAW-2', 'numerator', ''),
    ('stages_overdue_share', 'LAW-2', 'value', ''),
    ('stages_overdue_share_lower95', 'LAW-2', 'lower95', ''),
    ('stages_overdue_share_upper95', 'LAW-2', 'upper95', ''),
    ('stages_overdue_share_yoy_value', 'LAW-2', 'yoy_value', ''),
    ('stages_overdue_share_yoy_verdict', 'LAW-2', 'yoy_verdict', ''),
    ('stages_left_late', 'LAW-2', 'denominator', 'timing:late'),
    ('stages_overdue_open', 'LAW-2', 'denominator', 'timing:open'),
    ('stages_not_due', 'LAW-2', 'numerator', 'excluded:not_due'),
    ('reviews_passed_share', 'LAW-3', 'value', ''),
    ('reviews_passed_share_lower95', 'LAW-3', 'lower95', ''),
    ('reviews_passed_share_upper95', 'LAW-3', 'upper95', ''),
    ('items_inspected', 'LAW-4', 'denominator', ''),
    ('items_with_problem', 'LAW-4', 'numerator', ''),
    ('items_with_problem_share', 'LAW-4', 'value', ''),
] -%}
{{ config(materialized=kept_table(), meta={'wide_columns': columns}) }}
with {{ wide_mart(columns) }}

select * from wide
