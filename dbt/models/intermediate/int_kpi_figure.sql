{#-
  Every figure with its limits and its two comparisons, in numbers: a year earlier (yoy) and the period before (pop). Three methods:
  counts are compared by their rates, shares by their difference, and the rest (scores, money, points, means, stocks) as far as they allow.
  A change of the unit takes the verdict from those of the two that reach across it.
  A yoy exposure is days, a pop exposure weighted days; rates and ratios bring their own.
-#}
{{ config(materialized='redone_rows' if target.type == 'duckdb' else 'table') }}
{% set comparisons = ['yoy', 'pop'] -%}
{% set figures = 'redone_value' if builds_on_last() else ref('int_kpi_value') -%}
{% set priors = 'value_read' if builds_on_last() else ref('int_kpi_value') -%}
with broken as (
    select
        {{ figure_key('series.series_id', 'period.period_id') }} as figure_key
        {%- for side in comparisons %},
        max(case when changed.changed_on > period.{{ side }}_period_start then 1 else 0 end) = 1 as {{ side }}_is_broken
        {%- endfor %}
    from {{ ref('int_kpi_unit_change') }} as changed
    inner join {{ ref('int_kpi_series') }} as series
        on changed.unit_code = series.unit_code and (changed.role is null or changed.role = series.unit_role)
    inner join {{ ref('int_kpi_period') }} as period
        on
            series.scope_id = period.scope_id
            and changed.changed_on > coalesce(period.yoy_period_start, period.pop_period_start)
            and changed.changed_on <= period.period_end
    group by {{ figure_key('series.series_id', 'period.period_id') }}
),

{% if builds_on_last() -%}
{#- What is computed again and what that is compared with, in one pass. #}
period_redone as (
    select
        period_key,
        scope_id
        {%- for side in comparisons %},
        {{ side }}_period_id
        {%- endfor %}
    from {{ ref('int_kpi_period') }}
    where
        period_key in (select period_key from {{ ref('int_kpi_touched_period') }})
        or (scope_id, least(grain_no, 3), season_no) in (select scope_id, grain_no, part_no from {{ ref('int_kpi_touched_spread') }})
),

value_read as (
    select *
    from {{ ref('int_kpi_value') }}
    where
        period_key in (
            select period_key from period_redone
            {%- for side in comparisons %}
            union all
            select {{ figure_key('scope_id', side ~ '_period_id') }} from period_redone
            {%- endfor %}
        )
        or series_id in (select series_id from {{ ref('int_kpi_touched_series') }})
),

redone_value as (
    select *
    from value_read
    where {{ redone_where('int_kpi_figure') }}
),

{% endif -%}
count_beside as (
    {{- figures_beside('count', comparisons, figures, priors) }}
),

count_exposed as (
    select
        *
        {%- for side in ['own', 'yoy'] %},
        cast(case when is_count then {{ side }}_days else nullif({{ side }}_denominator, 0) end as double) as yoy_{{ side }}_exposure
        {%- endfor %}
        {%- for side in ['own', 'pop'] %},
        cast(case
            when is_count then {{ side }}_weight
            when has_entity_days then nullif({{ side }}_denominator, 0) * ({{ side }}_weight / {{ side }}_days)
            else nullif({{ side }}_denominator, 0)
        end as double) as pop_{{ side }}_exposure
        {%- endfor %}
        {%- for side in comparisons %},
        {#- The denominator of a ratio is counted too, and strays as its numerator does: where they are independent, z has unit variance so. #}
        greatest(
            {{ side }}_dispersion,
            coalesce((own_squares + {{ side }}_squares) / nullif(own_numerator + {{ side }}_numerator, 0), 1e0),
            case when kind = 'ratio' then 1e0 + (own_numerator + {{ side }}_numerator) / cast(nullif(own_denominator + {{ side }}_denominator, 0) as double) end
        ) as {{ side }}_widening
        {%- endfor %},
        case when is_count then value_scale else value_scale / nullif(own_denominator, 0) end as own_per_event
        {%- for side in comparisons %},
        case when is_count then value_scale else value_scale / nullif({{ side }}_denominator, 0) end as {{ side }}_per_event
        {%- endfor %}
    from count_beside
),

count_compared as (
    select
        count_exposed.*,
        sqrt(greatest(1e0, coalesce(own_squares / nullif(own_numerator, 0), 1e0))) as clustering,
        case when kind <> 'ratio' and not is_recorded then own_per_event end as limit_per_event,
        case when kind <> 'ratio' then {{ poisson_lower('own_numerator', 'poisson_limit.lower95') }} end as fewest,
        case when kind <> 'ratio' then {{ poisson_upper('own_numerator', 'poisson_limit.upper95') }} end as most
        {%- for side in comparisons %}
        {%- set counts = ['own_numerator', side ~ '_numerator', side ~ '_own_exposure', side ~ '_' ~ side ~ '_exposure'] %},
        case when {{ side }}_is_comparable then {{ rate_ratio(*counts) }} end as {{ side }}_ratio,
        case when {{ side }}_is_comparable then {{ ratio_factor(counts[0], counts[1], side ~ '_widening') }} end as {{ side }}_factor,
        case when {{ side }}_is_comparable and is_measured then {{ count_z(*(counts + [side ~ '_widening'])) }} end as {{ side }}_z
        {%- endfor %}
    from count_exposed
    left join {{ ref('poisson_limit') }} as poisson_limit on count_exposed.own_numerator = poisson_limit.events
),

count_figure as (
    select
        series_id,
        period_key,
        is_broken,
        own_numerator as numerator,
        own_denominator as denominator,
        own_numerator * own_per_event as value,
        greatest(0e0, own_numerator - clustering * (own_numerator - fewest)) * limit_per_event as lower95,
        (own_numerator + clustering * (most - own_numerator)) * limit_per_event as upper95
        {%- for side in comparisons %}
        {%- set counts = ['own_numerator', side ~ '_numerator', side ~ '_own_exposure', side ~ '_' ~ side ~ '_exposure'] %},
        {{ side }}_numerator * {{ side }}_per_event as {{ side }}_value,
        {{ side }}_ratio,
        case when {{ side }}_z is not null and kind <> 'ratio' then {{ rate_ratio_lower(side ~ '_ratio', side ~ '_factor', *counts) }} end as {{ side }}_lower95,
        case when {{ side }}_z is not null and kind <> 'ratio' then {{ rate_ratio_upper(side ~ '_ratio', side ~ '_factor', *counts) }} end as {{ side }}_upper95,
        {{ side }}_z,
        {#- Only where a count is 0 can |z| >= 3 go with p > 0.05. #}
        case
            when {{ side }}_is_judged
                then {{ change_call(side ~ '_z', conditional_p(*(counts + [1]))) }}
        end as {{ side }}_call
        {%- endfor %}
    from count_compared
),

share_beside as (
    {{- figures_beside('share', comparisons, figures, priors) }}
),

{#- Of fewer cases than are declared there is no rate, and so nothing that follows from one. #}
share_limited as (
    select
        *
        {%- for side in ['own'] + comparisons %},
        case
            when {{ side }}_denominator >= coalesce(least_cases, 0) then {{ side }}_numerator * value_scale / nullif({{ side }}_denominator, 0)
        end as {{ side }}_value,
        {{ side }}_numerator between 0 and {{ side }}_denominator
            and {{ side }}_denominator >= greatest(1, coalesce(least_cases, 0)) as {{ side }}_is_proper
        {%- endfor %}
    from share_beside
),

share_bounded as (
    select
        *
        {%- for side in ['own'] + comparisons %},
        case when {{ side }}_is_proper then {{ wilson_lower(side ~ '_numerator', side ~ '_denominator') }} * value_scale end as {{ side }}_lower,
        case when {{ side }}_is_proper then {{ wilson_upper(side ~ '_numerator', side ~ '_denominator') }} * value_scale end as {{ side }}_upper
        {%- endfor %}
        {%- for side in comparisons %},
        case
            when {{ side }}_is_comparable and own_is_proper and {{ side }}_is_proper and time_rule <> 'last'
                then {{ share_z('own_numerator', 'own_denominator', side ~ '_numerator', side ~ '_denominator', side ~ '_dispersion') }}
        end as {{ side }}_z
        {%- endfor %}
    from share_limited
),

share_figure as (
    select
        series_id,
        period_key,
        is_broken,
        own_numerator as numerator,
        own_denominator as denominator,
        own_value as value,
        own_lower as lower95,
        own_upper as upper95
        {%- for side in comparisons %}
        {%- set current = ['own_value', 'own_lower', 'own_upper'] %}
        {%- set prior = [side ~ '_value', side ~ '_lower', side ~ '_upper'] %},
        {{ side }}_value,
        case when {{ side }}_is_comparable then own_value - {{ side }}_value end as {{ side }}_ratio,
        case when {{ side }}_is_comparable and time_rule <> 'last' then {{ difference_lower(current, prior) }} end as {{ side }}_lower95,
        case when {{ side }}_is_comparable and time_rule <> 'last' then {{ difference_upper(current, prior) }} end as {{ side }}_upper95,
        {{ side }}_z,
        {#- Only where a cell of the 2 x 2 table is 0 can |z| >= 3 go with p > 0.05. #}
        case
            when {{ side }}_is_judged then {{ change_call(side ~ '_z', fisher_p(
                'least(own_numerator, ' ~ side ~ '_numerator, own_denominator - own_numerator, ' ~ side ~ '_denominator - ' ~ side ~ '_numerator)',
                '(case when own_numerator = 0 or own_numerator = own_denominator then own_denominator else ' ~ side ~ '_denominator end)',
                '(case when own_numerator = 0 or (own_numerator < own_denominator and ' ~ side ~ '_numerator = 0) then own_numerator + ' ~ side ~ '_numerator'
                ~ ' else own_denominator - own_numerator + ' ~ side ~ '_denominator - ' ~ side ~ '_numerator end)',
                '(own_denominator + ' ~ side ~ '_denominator)', 1)) }}
        end as {{ side }}_call
        {%- endfor %}
    from share_bounded
),

other_beside as (
    {{- figures_beside('other', comparisons, figures, priors) }}
),

other_measured as (
    select
        *
        {%- for side in ['own'] + comparisons %},
        case
            when kind in ('count', 'amount') then {{ side }}_numerator * value_scale
            else {{ side }}_numerator * value_scale / nullif({{ side }}_denominator, 0)
        end as {{ side }}_value,
        case
            when kind = 'weighted' and {{ side }}_denominator > 0 and {{ side }}_square_weights > 0
                then cast({{ side }}_denominator as double) * {{ side }}_denominator / {{ side }}_square_weights
        end as {{ side }}_effective,
        case
            when kind = 'weighted' and {{ side }}_denominator > 0 and {{ side }}_square_weights = {{ side }}_denominator and {{ side }}_squares > 0
                then {{ score_error(side ~ '_numerator', side ~ '_denominator', side ~ '_squares', side ~ '_square_weights') }} * value_scale
        end as {{ side }}_score_error,
        case
            when kind = 'amount' and time_rule <> 'last' and {{ side }}_numerator > 0
                then {{ side }}_squares / {{ side }}_numerator / {{ side }}_numerator
        end as {{ side }}_money_variance
        {%- endfor %}
    from other_beside
),

{#-
  The delta method is for answers that weigh 1 each: whole weights add up to the sum of their squares only where each is 1 (or 0), and the
  squares kept give the spread of scores only there. Unequal weights, and scores that are all alike and so have no spread of their own, have
  Wilson's limits at the effective number of answers.
#}
other_bounded as (
    select
        *
        {%- for side in ['own'] + comparisons %}
        {%- for bound, sign, clip in [('lower', '-', 'greatest(0e0, '), ('upper', '+', 'least(1e0, ')] %},
        case
            when {{ side }}_score_error > 1e-9 then {{ clip }}{{ side }}_value {{ sign }} {{ z95() }}e0 * {{ side }}_score_error)
            when {{ side }}_effective > 0 and {{ side }}_value between 0 and 1
                then {{ (wilson_lower if bound == 'lower' else wilson_upper)('(' ~ side ~ '_value * ' ~ side ~ '_effective)', side ~ '_effective') }}
            when kind = 'amount' then {{ side }}_value * exp({{ sign }}{{ z95() }}e0 * sqrt({{ side }}_money_variance))
        end as {{ side }}_{{ bound }}
        {%- endfor %}
        {%- endfor %}
        {%- for side in comparisons %},
        sqrt(own_money_variance + {{ side }}_money_variance) as {{ side }}_money_error,
        case
            when {{ side }}_is_comparable and own_value between 0 and 1 and {{ side }}_value between 0 and 1
                then (own_value * own_effective + {{ side }}_value * {{ side }}_effective) / (own_effective + {{ side }}_effective)
        end as {{ side }}_pooled_score,
        case kind
            when 'weighted' then least(own_effective, {{ side }}_effective) >= {{ least_answers() }}
            when 'amount' then least(own_denominator, {{ side }}_denominator) >= {{ least_cases() }}
        end as {{ side }}_is_enough,
        case
            when not {{ side }}_is_comparable then null
            when kind = 'weighted' then own_value - {{ side }}_value
            when kind in ('amount', 'count') and time_rule <> 'last'
                then (own_value / {{ 'own_days' if side == 'yoy' else 'own_weight' }})
                    / nullif({{ side }}_value / {{ side }}{{ '_days' if side == 'yoy' else '_weight' }}, 0e0)
            else own_value / nullif({{ side }}_value, 0e0)
        end as {{ side }}_ratio
        {%- endfor %}
    from other_measured
),

{#-
  Scores are compared by the spread of both sides together, as if nothing had changed: a few answers that are all alike have none of their
  own, and would be a change against anything else. Where all answers of both weigh 1 it is that of the scores, else that of a yes or no.
#}
other_spread as (
    select
        *
        {%- for side in comparisons %},
        case
            when own_square_weights = own_denominator and {{ side }}_square_weights = {{ side }}_denominator
                then (own_squares + {{ side }}_squares) * value_scale * value_scale / (own_denominator + {{ side }}_denominator)
                    - {{ side }}_pooled_score * {{ side }}_pooled_score
            else {{ side }}_pooled_score * (1e0 - {{ side }}_pooled_score)
        end as {{ side }}_pooled_variance
        {%- endfor %}
    from other_bounded
),

other_compared as (
    select
        *
        {%- for side in comparisons %},
        case
            when kind = 'weighted' and {{ side }}_pooled_variance > 1e-12
                then (own_value - {{ side }}_value) / sqrt({{ side }}_pooled_variance * (1e0 / own_effective + 1e0 / {{ side }}_effective))
            when kind = 'weighted' and {{ side }}_pooled_variance <= 1e-12 then 0e0
            when kind = 'amount' and {{ side }}_ratio > 0 and {{ side }}_money_error > 0 then ln({{ side }}_ratio) / {{ side }}_money_error
        end as {{ side }}_z
        {%- endfor %}
    from other_spread
),

other_figure as (
    select
        series_id,
        period_key,
        is_broken,
        own_numerator as numerator,
        own_denominator as denominator,
        own_value as value,
        own_lower as lower95,
        own_upper as upper95
        {%- for side in comparisons %}
        {%- set current = ['own_value', 'own_lower', 'own_upper'] %}
        {%- set prior = [side ~ '_value', side ~ '_lower', side ~ '_upper'] %},
        {{ side }}_value,
        {{ side }}_ratio,
        {%- for bound, sign in [('lower', '-'), ('upper', '+')] %}
        case
            when kind = 'weighted' and {{ side }}_is_comparable
                then {{ (difference_lower if bound == 'lower' else difference_upper)(current, prior) }}
            when kind = 'amount' then {{ side }}_ratio * exp({{ sign }}{{ z95() }}e0 * {{ side }}_money_error)
        end as {{ side }}_{{ bound }}95,
        {%- endfor %}
        {{ side }}_z,
        {#- No exact test stands behind these: few answers or cases are never called. #}
        case when {{ side }}_is_judged then {{ change_call_of_enough(side ~ '_z', side ~ '_is_enough') }} end as {{ side }}_call
        {%- endfor %}
    from other_compared
)

select * from count_figure
union all
select * from share_figure
union all
select * from other_figure
-- depends_on: {{ ref('int_kpi_touched_series') }}
-- depends_on: {{ ref('int_kpi_touched_period') }}
-- depends_on: {{ ref('int_kpi_touched_spread') }}
