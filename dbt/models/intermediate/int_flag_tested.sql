{#- Every flag tested, raised where p is at most the declared level; q is p adjusted for all units of a level that were tested at once. -#}
with tested as (
    {%- for part in ['compared', 'alone', 'yoy'] %}
    {% if not loop.first %}union all {% endif -%}
    select * from {{ ref('int_flag_' ~ part) }}
    {%- endfor %}
),

adjusted as (
    {{ benjamini_hochberg('select * from tested', 'p_value', ['flag_id', 'root_code', 'unit_level', 'period_id']) }}
)

select
    flag_id,
    unit_code,
    root_code,
    unit_level,
    grain,
    period_id,
    period_start,
    period_end,
    observed,
    trials,
    expected,
    value,
    expected_value,
    lower_limit,
    upper_limit,
    dispersion,
    compared_with,
    statistic,
    p_value,
    q_value,
    level as threshold,
    round(p_value, 6) <= level as is_flagged,
    round(q_value, 6) <= 0.05 as is_called
from adjusted
