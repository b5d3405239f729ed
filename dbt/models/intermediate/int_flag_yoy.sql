{#-
  Clearances fall while cleared to filed rises, against the same quarter a year earlier. Both one-sided tests must hold, so the larger p counts;
  each is widened by how unlike the changes of the other units of the level are.
-#}
with compared as (
    select
        own.*,
        own.observed as cleared,
        own.trials as filed,
        earlier.observed as cleared_earlier,
        earlier.trials as filed_earlier,
        cast(own.days as double) as own_days,
        cast(earlier.days as double) as earlier_days
    from {{ ref('int_flag_window') }} as own
    inner join {{ ref('int_flag_window') }} as earlier
        on
            own.flag_id = earlier.flag_id
            and own.unit_code = earlier.unit_code
            and own.last_month_no - 12 = earlier.last_month_no
            and own.alike_since_no <= earlier.first_month_no
    where
        own.method = 'ratio'
        and own.trials >= own.least_trials
        and earlier.trials >= own.least_trials
        and own.observed + earlier.observed > 0
),

plain as (
    select
        compared.*,
        {{ count_z('cleared', 'cleared_earlier', 'own_days', 'earlier_days', '1e0') }} as work_z,
        {{ share_z('cleared', '(cleared + filed)', 'cleared_earlier', '(cleared_earlier + filed_earlier)', '1e0') }} as ratio_z
    from compared
),

widened as (
    select
        plain.*,
        count(*) over (partition by flag_id, root_code, unit_level, period_id) - 1 as others
        {%- for side in ['work', 'ratio'] %}
        {%- for power, term in [('sum', side ~ '_z'), ('squares', side ~ '_z * ' ~ side ~ '_z')] %},
        cast(
            sum(cast({{ term }} as decimal(26, 12))) over (partition by flag_id, root_code, unit_level, period_id) - cast({{ term }} as decimal(26, 12))
            as double
        ) as {{ side }}_{{ power }}
        {%- endfor %}
        {%- endfor %}
    from plain
),

standardised as (
    select
        widened.*
        {%- for side in ['work', 'ratio'] %},
        case
            when others > 1 then greatest(1e0, round(({{ side }}_squares - {{ side }}_sum * ({{ side }}_sum / others)) / (others - 1e0), 6))
            else 1e0
        end as {{ side }}_dispersion
        {%- endfor %}
    from widened
),

outward as (
    select
        standardised.*,
        -work_z / sqrt(work_dispersion) as fall_z,
        ratio_z / sqrt(ratio_dispersion) as rise_z
    from standardised
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
    level,
    cleared as observed,
    filed as trials,
    cleared / cast(filed as double) as value,
    cleared_earlier / cast(filed_earlier as double) as expected_value,
    cleared_earlier * (own_days / earlier_days) as expected,
    cast(null as double) as lower_limit,
    cast(null as double) as upper_limit,
    greatest(work_dispersion, ratio_dispersion) as dispersion,
    cast(others as integer) as compared_with,
    least(fall_z, rise_z) as statistic,
    round(greatest({{ normal_upper_tail('fall_z') }}, {{ normal_upper_tail('rise_z') }}), 9) as p_value
from outward
