{#-
  Flags that compare a unit with others: with the other units of its level under the same root in the same period (itself left out), or with
  its own whole months of the calendar year before. Every row brings a weight and a score, whose quotient is what is compared: trials and events; for
  a gap between two shares, its precision and the difference of arcsines. A change is the gap between a share and that of a year earlier. Sums and squares of the others give their dispersion, at least 1.
  A unit is out of line only as far as both say so: the exact test, which knows how rare few events are, and the t test, which knows how much
  the others differ among themselves. Sums run over decimals, so that the order of adding is nothing.
-#}
{{ config(materialized=kept_table(), meta={'compares_windows': true}) }}
{% set redoes_windows = builds_on_last() -%}
{% set since = windows_touched_since() if redoes_windows else none -%}
{% set exact_terms = 40 -%}
{% set least_peers = 4 -%}
{% set least_months = 10 -%}
{% set reference_sums = ['weight', 'score', 'square', 'changes'] -%}
{% set arcsine_gap = 'asin(sqrt(observed / cast(trials as double))) - asin(sqrt(other_observed / cast(other_trials as double)))' -%}
with month_length as (
    select
        period_id - 30000000 as month_no,
        year_no,
        ends_no - first_no + 1 as days
    from {{ ref('int_period') }}
    where grain_no = 3
),

windowed as (
    select
        flag_id,
        unit_code,
        root_code,
        unit_level,
        grain,
        period_id,
        period_start,
        period_end,
        year_no,
        level,
        direction,
        least_trials,
        least_observed,
        days,
        observed,
        trials,
        method,
        reference,
        other_observed,
        other_trials
    from {{ ref('int_flag_window') }}
    where
        method in ('share', 'count', 'net', 'gap')
        {%- if redoes_windows %}
        and period_end >= {{ since }}
        {%- endif %}
    union all
    select
        own.flag_id,
        own.unit_code,
        own.root_code,
        own.unit_level,
        own.grain,
        own.period_id,
        own.period_start,
        own.period_end,
        own.year_no,
        own.level,
        own.direction,
        own.least_trials,
        own.least_observed,
        own.days,
        own.observed,
        own.trials,
        'gap' as method,
        own.reference,
        earlier.observed as other_observed,
        earlier.trials as other_trials
    from {{ ref('int_flag_window') }} as own
    inner join {{ ref('int_flag_window') }} as earlier
        on
            own.flag_id = earlier.flag_id
            and own.unit_code = earlier.unit_code
            and own.last_month_no - 12 = earlier.last_month_no
            and own.alike_since_no <= earlier.first_month_no
    where
        own.method = 'change'
        {%- if redoes_windows %}
        and own.period_end >= {{ since }}
        {%- endif %}
),

counted as (
    select
        flag_id,
        unit_code,
        root_code,
        unit_level,
        period_id,
        year_no,
        false as is_baseline,
        method,
        reference,
        days,
        observed,
        trials,
        other_observed,
        other_trials
    from windowed
    union all
    select
        flag.flag_id,
        flag_month.unit_code,
        null as root_code,
        null as unit_level,
        flag_month.month_no as period_id,
        month_length.year_no,
        true as is_baseline,
        flag.method,
        flag.reference,
        month_length.days,
        flag_month.observed,
        flag_month.trials,
        flag_month.other_observed,
        flag_month.other_trials
    from {{ ref('int_flag_month') }} as flag_month
    inner join {{ ref('integrity_flag') }} as flag on flag_month.figure = flag.figure and flag.reference = 'baseline'
    inner join {{ ref('dim_unit') }} as dim_unit on flag_month.unit_code = dim_unit.unit_code
    inner join {{ ref('int_flag_whole_month') }} as whole_month
        on
            flag_month.figure = whole_month.figure
            and dim_unit.root_code = whole_month.root_code
            and flag_month.month_no = whole_month.month_no
    inner join month_length on flag_month.month_no = month_length.month_no
    {%- if redoes_windows %}
    where month_length.year_no >= extract(year from {{ since }}) - 1
    {%- endif %}
),

weighed as (
    select
        *,
        cast(case method
            when 'gap' then 1e0 / (1e0 / trials + 1e0 / other_trials)
            when 'count' then days
            else trials
        end as decimal(26, 12)) as weight
    from counted
    where
        trials > 0
        and (method <> 'gap' or other_trials > 0)
        and (method not in ('share', 'gap') or observed between 0 and trials)
),

scored as (
    select
        weighed.*,
        cast(case method
            when 'gap' then cast(weight as double) * ({{ arcsine_gap }})
            when 'net' then observed - other_observed
            else observed
        end as decimal(26, 12)) as score,
        cast(case when method = 'net' then observed + other_observed else 0 end as decimal(26, 12)) as changes
    from weighed
),

squared as (
    select
        scored.*,
        cast(cast(score as double) * (cast(score as double) / cast(weight as double)) as decimal(26, 12)) as square
    from scored
),

peer as (
    select
        squared.*,
        count(*) over (partition by flag_id, root_code, unit_level, period_id) - 1 as others
        {%- for sum in reference_sums %},
        cast(sum({{ sum }}) over (partition by flag_id, root_code, unit_level, period_id) - {{ sum }} as decimal(38, 12)) as other_{{ sum }}
        {%- endfor %}
    from squared
    where reference = 'peers'
),

baseline as (
    select
        flag_id,
        unit_code,
        year_no,
        count(*) as others
        {%- for sum in reference_sums %},
        cast(sum({{ sum }}) as decimal(38, 12)) as other_{{ sum }}
        {%- endfor %}
    from squared
    where is_baseline
    group by flag_id, unit_code, year_no
),

referenced as (
    select * from peer
    where others >= {{ least_peers }}
    union all
    select
        squared.*,
        baseline.others
        {%- for sum in reference_sums %},
        baseline.other_{{ sum }}
        {%- endfor %}
    from squared
    inner join baseline
        on
            squared.flag_id = baseline.flag_id
            and squared.unit_code = baseline.unit_code
            and squared.year_no - 1 = baseline.year_no
    where squared.reference = 'baseline' and not squared.is_baseline and baseline.others >= {{ least_months }}
),

judged as (
    select
        windowed.*,
        referenced.others,
        cast(referenced.weight as double) as w,
        cast(referenced.score as double) as s,
        cast(referenced.other_weight as double) as other_w,
        cast(referenced.other_score as double) as other_s,
        cast(referenced.other_square as double) as other_q,
        cast(referenced.other_changes as double) as other_c,
        cast(referenced.others - 1 as double) as freedom
    from referenced
    inner join windowed
        on
            referenced.flag_id = windowed.flag_id
            and referenced.unit_code = windowed.unit_code
            and referenced.period_id = windowed.period_id
    where
        referenced.trials >= windowed.least_trials
        and (referenced.method <> 'gap' or referenced.other_trials >= windowed.least_trials)
        and (referenced.method <> 'net' or referenced.other_changes > 0)
),

dispersed as (
    select
        judged.*,
        greatest(1e0, round(coalesce(case
            when method = 'gap' then greatest(0e0, 4e0 * (other_q - other_s * (other_s / other_w)))
            when method = 'net'
                then greatest(0e0, other_q - other_s * (other_s / other_w)) / (other_c / other_w - (other_s / other_w) * (other_s / other_w))
            when method = 'count' then {{ pearson_chi_square('other_s', 'other_w', 'other_q', 'false') }}
            else {{ pearson_chi_square('other_s', 'other_w', 'other_q', 'true') }}
        end, 0e0) / freedom, 6)) as dispersion
    from judged
),

standardised as (
    select
        dispersed.*,
        case method
            when 'gap' then 2e0 * (s / w - other_s / other_w) / sqrt(dispersion * (1e0 / w + 1e0 / other_w))
            when 'net'
                then 2e0 * (
                    sqrt(greatest(0e0, s + (other_c - other_s) * (w / other_w))) - sqrt(other_c * (w / other_w))
                ) / sqrt(dispersion * (1e0 + w / other_w))
            when 'count' then {{ count_z('s', 'other_s', 'w', 'other_w', 'dispersion') }}
            else {{ share_z('s', 'w', 'other_s', 'other_w', 'dispersion') }}
        end as t
    from dispersed
),

sided as (
    select
        standardised.*,
        {{ student_score('t', 'freedom') }} as z,
        case when direction = 'both' then t >= 0 else direction = 'high' end as is_high
    from standardised
),

{#- Lower tails are upper tails of what did not happen. Of counts, all events fall into the unit's days or those of the baseline. #}
oriented as (
    select
        sided.*,
        case when is_high then z else -z end as z_outward,
        case method
            when 'share' then case when is_high then observed else trials - observed end
            when 'count' then case when is_high then observed else cast(other_s as bigint) end
        end as tail_observed,
        case method
            when 'share' then trials
            when 'count' then observed + cast(other_s as bigint)
        end as tail_trials,
        case when method = 'share' then case when is_high then cast(s + other_s as bigint) else cast(w - s + other_w - other_s as bigint) end end as tail_marked,
        case when method = 'share' then cast(w + other_w as bigint) end as tail_all,
        case when method = 'count' then case when is_high then w / (w + other_w) else other_w / (w + other_w) end end as tail_share
    from sided
),

exact as (
    select
        oriented.*,
        case
            when method = 'share' and w * other_w * (s + other_s) * (w - s + other_w - other_s) <= {{ exact_terms * exact_terms / 25 }} * (w + other_w) * (w + other_w) * (w + other_w)
                then {{ hypergeometric_upper_tail('tail_observed', 'tail_trials', 'tail_marked', 'tail_all', exact_terms) }}
            when method = 'count' and tail_trials * tail_share * (1e0 - tail_share) <= {{ exact_terms * exact_terms / 25 }}
                then {{ binomial_upper_tail('tail_observed', 'tail_trials', 'tail_share', exact_terms) }}
        end as exact_tail,
        {{ normal_upper_tail('z_outward') }} as approximate_tail
    from oriented
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
    case when method = 'net' then observed - other_observed else observed end as observed,
    case when method = 'count' then days else trials end as trials,
    case method
        when 'gap' then observed / cast(trials as double) - other_observed / cast(other_trials as double)
        else s / w
    end as value,
    case when method <> 'gap' then other_s / other_w end as expected_value,
    case when method <> 'gap' then w * (other_s / other_w) end as expected,
    {%- for side in ['lower', 'upper'] %}
    case
        when reference = 'baseline' and method = 'share' then {{ p_chart_limit(side, '(other_s / other_w)', 'w', 'dispersion') }}
        when reference = 'baseline' and method = 'count' then {{ u_chart_limit(side, '(other_s / other_w)', 'w', 'dispersion') }}
    end as {{ side }}_limit,
    {%- endfor %}
    dispersion,
    cast(others as integer) as compared_with,
    z as statistic,
    {#- Fewer events than the flag asks for are no ground for it; they stay among the tested, or q would be too small. #}
    case
        when observed < least_observed then 1e0
        else round(least(1e0, case when direction = 'both' then 2e0 else 1e0 end * greatest(approximate_tail, coalesce(exact_tail, 0e0))), 9)
    end as p_value
from exact
