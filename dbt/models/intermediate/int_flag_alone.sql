{#-
  Flags that need no other unit: a share against a fixed one, months that equal the quota, last digits against equal shares, and months
  that are more alike than chance leaves them.
-#}
{% set exact_terms = 40 -%}
{% set months = 12 -%}
with quota as (
    select
        unit_level,
        valid_from,
        coalesce(valid_to, {{ last_moment() }}) as valid_to,
        exp(entries * ln(entries) - entries - {{ ln_factorial('entries') }}) as chance
    from {{ ref('mediation_quota') }}
    where entries > 0
),

judged as (
    select
        flag_window.*,
        case flag_window.method
            when 'fixed' then cast(flag_window.fixed_share as double)
            when 'quota' then quota.chance
        end as share,
        cast(flag_window.observed as double) as x
    from {{ ref('int_flag_window') }} as flag_window
    left join quota
        on
            flag_window.method = 'quota'
            and flag_window.unit_level = quota.unit_level
            and flag_window.period_end >= quota.valid_from
            and flag_window.period_end < quota.valid_to
    where
        flag_window.method in ('fixed', 'quota', 'digits', 'regular')
        and case when flag_window.method = 'regular' then flag_window.days when flag_window.method = 'digits' then flag_window.observed else flag_window.trials end
        >= flag_window.least_trials
        and flag_window.observed >= flag_window.least_observed
        and (flag_window.method not in ('fixed', 'quota') or flag_window.observed between 0 and flag_window.trials)
),

measured as (
    select
        judged.*,
        case method
            when 'digits' then 10e0 * cast(part_squares as double) / x - x
            when 'regular' then greatest(0e0, days * cast(month_squares as double) / x - x)
        end as chi_square
    from judged
    where (method in ('fixed', 'quota') and share is not null) or (method in ('digits', 'regular') and x > 0)
),

rooted as (
    select
        measured.*,
        sqrt(chi_square) as root,
        2e0 * (asin(sqrt(x / nullif(trials, 0))) - asin(sqrt(share))) * sqrt(trials) as z
    from measured
),

tested as (
    select
        rooted.*,
        case
            when method in ('fixed', 'quota') and z >= 0 and trials * share * (1e0 - share) <= {{ exact_terms * exact_terms / 25 }}
                then {{ binomial_upper_tail('observed', 'trials', 'share', exact_terms) }}
            when method in ('fixed', 'quota') then {{ normal_upper_tail('z') }}
            when method = 'digits' then {{ chi_square_upper_tail('chi_square', 'root', 9) }}
            else 1e0 - {{ chi_square_upper_tail('chi_square', 'root', months - 1) }}
        end as p_value
    from rooted
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
    observed,
    case method when 'regular' then days when 'digits' then observed else trials end as trials,
    case when method in ('fixed', 'quota') then x / trials else chi_square end as value,
    case method when 'digits' then 9e0 when 'regular' then {{ months - 1 }}e0 else share end as expected_value,
    case when method in ('fixed', 'quota') then trials * share end as expected,
    cast(null as double) as lower_limit,
    cast(null as double) as upper_limit,
    1e0 as dispersion,
    0 as compared_with,
    coalesce(z, chi_square) as statistic,
    round(greatest(0e0, least(1e0, p_value)), 9) as p_value
from tested
