{#- Means from kpi; medians and 90th percentiles from the exact seconds, the smallest that half (nine tenths) of the incidents kept to; so for the acknowledgement of orders. -#}
{% set stages = ['report_receive', 'receive_dispatch', 'dispatch_arrive', 'arrive_close', 'report_arrive'] -%}
{% set timed = stages + ['acknowledge'] -%}
{% set columns = [
    ('timed_incidents', 'RT-1', 'denominator', ''),
    ('urgent_valid', 'RT-2', 'denominator', ''),
    ('urgent_on_time', 'RT-2', 'numerator', ''),
    ('urgent_on_time_share', 'RT-2', 'value', ''),
    ('urgent_on_time_lower95', 'RT-2', 'lower95', ''),
    ('urgent_on_time_upper95', 'RT-2', 'upper95', ''),
    ('urgent_on_time_yoy_value', 'RT-2', 'yoy_value', ''),
    ('urgent_missing', 'RT-2', 'numerator', 'excluded:missing'),
    ('urgent_negative', 'RT-2', 'numerator', 'excluded:negative'),
    ('urgent_identical', 'RT-2', 'numerator', 'excluded:identical'),
    ('orders_to_acknowledge', 'CMD-1.acknowledged', 'denominator', ''),
    ('orders_acknowledged', 'CMD-1.acknowledged', 'numerator', ''),
    ('orders_acknowledged_share', 'CMD-1.acknowledged', 'value', ''),
    ('orders_acknowledged_share_lower95', 'CMD-1.acknowledged', 'lower95', ''),
    ('orders_acknowledged_share_upper95', 'CMD-1.acknowledged', 'upper95', ''),
    ('orders_never_acknowledged', 'CMD-1.acknowledged', 'denominator', 'timing:open'),
    ('orders_cancelled_unacknowledged', 'CMD-1.acknowledged', 'denominator', 'timing:withdrawn'),
    ('orders_due', 'CMD-1.done', 'denominator', ''),
    ('orders_done', 'CMD-1.done', 'numerator', ''),
    ('orders_done_share', 'CMD-1.done', 'value', ''),
    ('orders_done_share_lower95', 'CMD-1.done', 'lower95', ''),
    ('orders_done_share_upper95', 'CMD-1.done', 'upper95', ''),
    ('orders_overdue_open', 'CMD-1.done', 'denominator', 'timing:open'),
    ('orders_cancelled', 'CMD-1.done', 'numerator', 'excluded:withdrawn'),
    ('orders_cancelled_late', 'CMD-1.done', 'denominator', 'timing:withdrawn'),
] -%}
{% for stage in stages -%}
{% do columns.append((stage ~ '_mean_seconds', 'RT-1', 'value', 'stage:' ~ stage)) -%}
{% endfor -%}
{{ config(materialized=kept_table(), meta={'wide_columns': columns}) }}
with {{ wide_mart(columns) }},

bin_of_month as (
    select
        unit_ancestor.ancestor_code as unit_code,
        {{ dbt.date_trunc('month', 'counted.day') }} as month,
        split_part(counted.cell, ':', 2) as stage,
        cast(split_part(counted.cell, ':', 3) as bigint) as seconds,
        sum(counted.denominator) as incidents
    from {{ ref('fct_kpi_count') }} as counted
    inner join {{ ref('unit_ancestor') }} as unit_ancestor
        on
            counted.unit_code = unit_ancestor.unit_code
            and counted.day >= unit_ancestor.valid_from
            and counted.day < unit_ancestor.valid_to
    where
        counted.kpi_id in ('RT-1', 'CMD-1.acknowledged')
        and counted.cell like 'bin:%'
        {%- if redoes_periods() %}
        and counted.day >= {{ touched_since(columns) }}
        {%- endif %}
    group by
        unit_ancestor.ancestor_code,
        {{ dbt.date_trunc('month', 'counted.day') }},
        split_part(counted.cell, ':', 2),
        cast(split_part(counted.cell, ':', 3) as bigint)
),

bin_of_period as (
    {%- for grain in ['month', 'quarter', 'year'] %}
    {% if not loop.first %}union all {% endif -%}
    select
        '{{ grain }}' as grain,
        cast({{ dbt.date_trunc(grain, 'month') }} as date) as period_start,
        unit_code,
        stage,
        seconds,
        sum(incidents) as incidents
    from bin_of_month
    group by {{ dbt.date_trunc(grain, 'month') }}, unit_code, stage, seconds
    {%- endfor %}
),

bin_so_far as (
    select
        bin_of_period.*,
        sum(incidents) over (
            partition by grain, period_start, unit_code, stage
            order by seconds
            rows between unbounded preceding and current row
        ) as incidents_so_far,
        sum(incidents) over (partition by grain, period_start, unit_code, stage) as all_incidents
    from bin_of_period
),

quantile as (
    select
        grain,
        period_start,
        unit_code
        {%- for stage in timed %},
        min(case when stage = '{{ stage }}' and incidents_so_far * 2 >= all_incidents then seconds end) as {{ stage }}_median_seconds,
        min(case when stage = '{{ stage }}' and incidents_so_far * 10 >= all_incidents * 9 then seconds end) as {{ stage }}_p90_seconds
        {%- endfor %}
    from bin_so_far
    group by grain, period_start, unit_code
),

bounded as (
    select
        wide.*,
        coalesce(urgent_valid, 0) + coalesce(urgent_missing, 0) + coalesce(urgent_negative, 0) + coalesce(urgent_identical, 0) as urgent
    from wide
)

select
    bounded.*,
    {{ share('bounded.urgent_on_time', 'bounded.urgent') }} as urgent_on_time_worst_case,
    {{ share('bounded.urgent_on_time + bounded.urgent - bounded.urgent_valid', 'bounded.urgent') }} as urgent_on_time_best_case
    {%- for stage in timed %},
    quantile.{{ stage }}_median_seconds,
    quantile.{{ stage }}_p90_seconds
    {%- endfor %}
from bounded
left join quantile
    on
        bounded.grain = quantile.grain
        and bounded.period_start = quantile.period_start
        and bounded.unit_code = quantile.unit_code
