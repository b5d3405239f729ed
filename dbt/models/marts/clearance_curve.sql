{#-
  What has become of the cases filed in a period, N days after each was filed, also of cohorts that not all have been followed so long:
  the share cleared, and beside it the share that left otherwise. Counted from the lags of CR-2. 1 − Kaplan–Meier, which counts what left
  otherwise as if it might still be cleared, is not printed.
-#}
{% set horizons = [30, 90, 365] -%}
with lag_of_month as (
    select
        unit_ancestor.ancestor_code as unit_code,
        cast({{ dbt.date_trunc('month', 'counted.day') }} as date) as month,
        split_part(counted.cell, ':', 2) as outcome,
        case
            when counted.cell = 'lag:open' then {{ days_between('counted.day', 'night.as_of') }}
            else cast(split_part(counted.cell, ':', 3) as integer)
        end as lag,
        cast(sum(counted.denominator) as bigint) as members
    from {{ ref('fct_kpi_count') }} as counted
    inner join {{ ref('unit_ancestor') }} as unit_ancestor
        on
            counted.unit_code = unit_ancestor.unit_code
            and counted.day >= unit_ancestor.valid_from
            and counted.day < unit_ancestor.valid_to
    cross join {{ source('control', 'night') }} as night
    where counted.kpi_id = 'CR-2' and counted.cell like 'lag:%' and counted.day <= night.as_of
    group by
        unit_ancestor.ancestor_code,
        {{ dbt.date_trunc('month', 'counted.day') }},
        split_part(counted.cell, ':', 2),
        case
            when counted.cell = 'lag:open' then {{ days_between('counted.day', 'night.as_of') }}
            else cast(split_part(counted.cell, ':', 3) as integer)
        end
),

lag_of_period as (
    {%- for grain in ['month', 'quarter', 'year'] %}
    {% if not loop.first %}union all {% endif -%}
    select
        unit_code,
        '{{ grain }}' as grain,
        cast({{ dbt.date_trunc(grain, 'month') }} as date) as period_start,
        outcome,
        lag,
        members
    from lag_of_month
    {%- endfor %}
),

{{ competing_risks('curve', 'lag_of_period', ['unit_code', 'grain', 'period_start'], horizons) }}

select
    curve.unit_code,
    dim_unit.unit_name,
    dim_unit.unit_level,
    curve.grain,
    curve.period_start,
    cast(curve.members as bigint) as filed
    {%- for n in horizons %},
    curve.cleared_{{ n }} as cleared_{{ n }}_days,
    curve.cleared_{{ n }}_share as cleared_{{ n }}_days_share,
    curve.exited_{{ n }} as exited_{{ n }}_days,
    curve.exited_{{ n }}_share as exited_{{ n }}_days_share
    {%- endfor %}
from curve
inner join {{ ref('dim_unit') }} as dim_unit on curve.unit_code = dim_unit.unit_code
