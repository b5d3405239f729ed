{#-
  Shares and means from kpi; medians and 90th percentiles from the bins: whole days, whole minutes. What is open and what was withdrawn
  stands beside every share of what was closed.
-#}
{% set columns = [
    ('due', 'SVC-1', 'denominator', ''),
    ('closed_in_time', 'SVC-1', 'numerator', ''),
    ('closed_in_time_share', 'SVC-1', 'value', ''),
    ('closed_in_time_share_lower95', 'SVC-1', 'lower95', ''),
    ('closed_in_time_share_upper95', 'SVC-1', 'upper95', ''),
    ('closed_in_time_share_yoy_value', 'SVC-1', 'yoy_value', ''),
    ('closed_in_time_share_yoy_verdict', 'SVC-1', 'yoy_verdict', ''),
    ('closed_late', 'SVC-1', 'denominator', 'timing:late'),
    ('overdue_open', 'SVC-1', 'denominator', 'timing:open'),
    ('withdrawn', 'SVC-1', 'numerator', 'excluded:withdrawn'),
    ('withdrawn_late', 'SVC-1', 'denominator', 'timing:withdrawn'),
    ('not_due', 'SVC-1', 'numerator', 'excluded:not_due'),
    ('items', 'SVC-2.items', 'numerator', ''),
    ('one_window_items', 'SVC-2.items', 'numerator', 'mark:one_window'),
    ('one_visit_items', 'SVC-2.items', 'numerator', 'mark:one_visit'),
    ('received', 'SVC-2', 'denominator', ''),
    ('received_online', 'SVC-2', 'numerator', ''),
    ('online_share', 'SVC-2', 'value', ''),
    ('online_share_lower95', 'SVC-2', 'lower95', ''),
    ('online_share_upper95', 'SVC-2', 'upper95', ''),
    ('closed', 'SVC-3', 'denominator', ''),
    ('mean_days', 'SVC-3', 'value', ''),
    ('mean_days_yoy_value', 'SVC-3', 'yoy_value', ''),
    ('within_promise_share', 'SVC-3.promised', 'value', ''),
    ('within_statute_share', 'SVC-3.statutory', 'value', ''),
    ('promised_per_statutory_day', 'SVC-3.cut', 'value', ''),
    ('cross_region_requests', 'SVC-4.cross_region', 'numerator', ''),
    ('one_window_visits', 'SVC-4.one_window', 'numerator', ''),
    ('remote_id_cards', 'SVC-4.id', 'numerator', ''),
    ('id_cards', 'SVC-4.id', 'denominator', ''),
    ('visits_called', 'SVC-5', 'denominator', ''),
    ('mean_wait_seconds', 'SVC-5', 'value', ''),
    ('visits_not_called', 'SVC-5', 'numerator', 'excluded:not_called'),
    ('active_users', 'SVC-6', 'numerator', ''),
    ('registered_users', 'SVC-6', 'denominator', ''),
] -%}
{{ config(materialized=kept_table(), meta={'wide_columns': columns}) }}
with {{ wide_mart(columns) }},

{{ bins_by_period('duration_bin', ['SVC-3', 'SVC-5']) }},

{{ bins_so_far('duration_so_far', 'duration_bin') }},

quantile as (
    select
        grain,
        period_start,
        unit_code,
        {{ bin_quantile('SVC-3', 1, 2) }} as median_days,
        {{ bin_quantile('SVC-3', 9, 10) }} as p90_days,
        {{ bin_quantile('SVC-5', 1, 2) }} as median_wait_minutes,
        {{ bin_quantile('SVC-5', 9, 10) }} as p90_wait_minutes
    from duration_so_far
    group by grain, period_start, unit_code
)

select
    wide.*,
    {{ share('coalesce(wide.closed_in_time, 0) + coalesce(wide.closed_late, 0)', 'wide.due') }} as closed_share,
    1 - wide.promised_per_statutory_day as promised_cut_share,
    {{ share('wide.one_window_visits', 'wide.visits_called') }} as one_window_share,
    quantile.median_days,
    quantile.p90_days,
    quantile.median_wait_minutes,
    quantile.p90_wait_minutes
from wide
left join quantile
    on
        wide.grain = quantile.grain
        and wide.period_start = quantile.period_start
        and wide.unit_code = quantile.unit_code
