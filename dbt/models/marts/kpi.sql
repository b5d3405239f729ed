{#-
  Every published figure with its limits and its two comparisons, derived from fct_kpi_count alone. What the comparison columns hold
  depends on the kind of the KPI: see the column descriptions.
-#}
{% set comparisons = ['yoy', 'pop'] -%}
{% set sides = ['own', 'yoy', 'pop'] -%}
with night as (
    select as_of from {{ source('control', 'night') }}
),

{#- Days on which a unit's make-up changed: a leaf that existed before and goes on came under it or left it, or it took a unit over. #}
leaf_link as (
    select
        link.unit_code as leaf_code,
        link.ancestor_code as unit_code,
        link.valid_from,
        link.valid_to
    from {{ ref('unit_ancestor') }} as link
    inner join {{ ref('dim_unit') }} as dim_unit on link.unit_code = dim_unit.unit_code and dim_unit.is_leaf
),

boundary_change as (
    select
        link.unit_code,
        link.valid_from as changed_on
    from leaf_link as link
    inner join leaf_link as own
        on
            link.leaf_code = own.leaf_code and own.leaf_code = own.unit_code
            and own.valid_from < link.valid_from and own.valid_to >= link.valid_from
    left join leaf_link as before
        on link.leaf_code = before.leaf_code and link.unit_code = before.unit_code and link.valid_from = before.valid_to
    where before.leaf_code is null
    union
    select
        link.unit_code,
        link.valid_to as changed_on
    from leaf_link as link
    inner join leaf_link as own
        on
            link.leaf_code = own.leaf_code and own.leaf_code = own.unit_code
            and own.valid_from <= link.valid_to and own.valid_to > link.valid_to
    left join leaf_link as after
        on link.leaf_code = after.leaf_code and link.unit_code = after.unit_code and link.valid_to = after.valid_from
    where after.leaf_code is null
    union
    select
        heir_link.unit_code,
        heir.valid_from as changed_on
    from {{ ref('int_unit_assignment') }} as heir
    inner join leaf_link as heir_link
        on heir.leaf_code = heir_link.leaf_code and heir.valid_from >= heir_link.valid_from and heir.valid_from < heir_link.valid_to
    left join {{ ref('unit_ancestor') }} as former
        on heir.unit_code = former.unit_code and heir_link.unit_code = former.ancestor_code and heir.valid_from = former.valid_to
    where heir.leaf_code <> heir.unit_code and heir.leaf_code <> heir.unit_code || '.self' and former.unit_code is null
),

broken as (
    select distinct
        series.series_id,
        period.period_id
    from boundary_change
    inner join {{ ref('int_kpi_series') }} as series on boundary_change.unit_code = series.unit_code
    inner join {{ ref('int_kpi_period') }} as period
        on
            series.scope_id = period.scope_id
            and boundary_change.changed_on > coalesce(period.yoy_period_start, period.pop_period_start)
            and boundary_change.changed_on <= period.period_end
),

{#- One row per published figure, beside what it is compared with and the history around both. #}
beside as (
    select
        value.series_id,
        value.period_id,
        value.numerator as own_numerator,
        value.denominator as own_denominator,
        cast(value.squares as double) as own_squares,
        cast(value.square_weights as double) as own_square_weights,
        poisson_limit.lower95 as poisson_lower95,
        poisson_limit.upper95 as poisson_upper95,
        series.kind,
        series.time_rule,
        series.value_scale,
        series.is_count,
        series.is_share,
        series.kind = 'weighted' as is_score,
        series.kind = 'amount' and series.time_rule <> 'last' as is_amount,
        period.grain_no,
        broken.series_id is not null as is_broken,
        cast(total.chi_square as double) as total_chi_square,
        total.freedom as total_freedom,
        period.spread_part as own_spread_part,
        period.days as own_days,
        cast(period.weight as double) as own_weight
        {%- for side in comparisons %},
        {{ side }}.numerator as {{ side }}_numerator,
        {{ side }}.denominator as {{ side }}_denominator,
        cast({{ side }}.squares as double) as {{ side }}_squares,
        cast({{ side }}.square_weights as double) as {{ side }}_square_weights,
        period.{{ side }}_spread_part,
        period.{{ side }}_days,
        cast(period.{{ side }}_weight as double) as {{ side }}_weight,
        period.{{ side }}_is_matured and {{ side }}.numerator is not null as {{ side }}_is_comparable,
        period.{{ side }}_is_complete and not period.{{ side }}_is_torn and broken.series_id is null as {{ side }}_is_judged
        {%- endfor %}
        {%- for side in sides %},
        cast({{ side }}_spread.chi_square as double) as {{ side }}_chi_square,
        {{ side }}_spread.freedom as {{ side }}_freedom,
        {{ side }}_spread.events as {{ side }}_stratum_events,
        {{ side }}_spread.exposure as {{ side }}_stratum_exposure,
        {{ side }}_spread.squares as {{ side }}_stratum_squares,
        {{ side }}_spread.periods as {{ side }}_stratum_periods
        {%- endfor %}
    from {{ ref('int_kpi_value') }} as value
    inner join {{ ref('int_kpi_series') }} as series on value.series_id = series.series_id
    inner join {{ ref('int_kpi_period') }} as period on value.scope_id = period.scope_id and value.period_id = period.period_id
    {%- for side in comparisons %}
    left join {{ ref('int_kpi_value') }} as {{ side }}
        on value.series_id = {{ side }}.series_id and period.{{ side }}_period_id = {{ side }}.period_id
    {%- endfor %}
    left join {{ ref('int_kpi_spread') }} as total
        on value.series_id = total.series_id and period.spread_grain_no = total.grain_no and total.part = 0
    {%- for side in sides %}
    left join {{ ref('int_kpi_spread') }} as {{ side }}_spread
        on
            value.series_id = {{ side }}_spread.series_id
            and period.spread_grain_no = {{ side }}_spread.grain_no
            and period.{{ 'spread_part' if side == 'own' else side ~ '_spread_part' }} = {{ side }}_spread.part
    {%- endfor %}
    left join {{ ref('poisson_limit') }} as poisson_limit on value.numerator = poisson_limit.events
    left join broken on value.series_id = broken.series_id and value.period_id = broken.period_id
),

{#- Exposures: days a year apart, weighted days from one period to the next; rates and ratios bring their own. #}
exposed as (
    select
        *
        {%- for side in sides %},
        {{ side }}_numerator >= 0 and {{ side }}_numerator <= {{ side }}_denominator and {{ side }}_denominator > 0 as {{ side }}_is_proper,
        case when kind = 'count' then {{ side }}_weight else cast({{ side }}_denominator as double) end as {{ side }}_spread_exposure
        {%- endfor %}
        {%- for side in sides %}
        {%- if side != 'pop' %},
        case when kind in ('count', 'amount') then cast({{ side }}_days as double) else cast({{ side }}_denominator as double) end as yoy_{{ side }}_exposure
        {%- endif %}
        {%- if side != 'yoy' %},
        case
            when kind in ('count', 'amount') then {{ side }}_weight
            when time_rule = 'exposure' then {{ side }}_denominator * {{ side }}_weight / {{ side }}_days
            else cast({{ side }}_denominator as double)
        end as pop_{{ side }}_exposure
        {%- endif %}
        {%- endfor %}
    from beside
),

{#- What each period adds to its stratum: nothing, without exposure. #}
contributing as (
    select
        *
        {%- for side in sides %},
        case when {{ side }}_spread_exposure > 0 then {{ side }}_numerator * ({{ side }}_numerator / {{ side }}_spread_exposure) else 0e0 end as {{ side }}_adds_squares,
        case when {{ side }}_spread_exposure > 0 then 1 else 0 end as {{ side }}_adds_period,
        coalesce({{ side }}_spread_part = own_spread_part, false) as {{ side }}_shares_stratum
        {%- endfor %}
    from exposed
),

{#- Chi-square of each stratum with the compared period left out, and with both where they share it; grains above a month leave out whole strata. #}
left_out as (
    select
        *
        {%- for side in sides %},
        case
            when grain_no <= 3 then {{ pearson_chi_square(
                side ~ '_stratum_events - ' ~ side ~ '_numerator',
                side ~ '_stratum_exposure - ' ~ side ~ '_spread_exposure',
                side ~ '_stratum_squares - ' ~ side ~ '_adds_squares',
                'is_share') }}
        end as {{ side }}_rest
        {%- endfor %},
        case
            when grain_no <= 3 and pop_shares_stratum then {{ pearson_chi_square(
                'own_stratum_events - own_numerator - pop_numerator',
                'own_stratum_exposure - own_spread_exposure - pop_spread_exposure',
                'own_stratum_squares - own_adds_squares - pop_adds_squares',
                'is_share') }}
        end as both_rest
    from contributing
),

history as (
    select
        *,
        total_chi_square - coalesce(own_chi_square, 0e0) - coalesce(yoy_chi_square, 0e0) + coalesce(own_rest, 0e0) + coalesce(yoy_rest, 0e0) as yoy_history,
        total_freedom - coalesce(own_freedom, 0) - coalesce(yoy_freedom, 0)
        + case when own_rest is null then 0 else own_stratum_periods - own_adds_period - 1 end
        + case when yoy_rest is null then 0 else yoy_stratum_periods - yoy_adds_period - 1 end as yoy_history_freedom,
        total_chi_square - coalesce(own_chi_square, 0e0)
        + case
            when pop_shares_stratum then coalesce(both_rest, 0e0)
            else coalesce(own_rest, 0e0) + coalesce(pop_rest, 0e0) - coalesce(pop_chi_square, 0e0)
        end as pop_history,
        total_freedom - coalesce(own_freedom, 0)
        + case
            when pop_shares_stratum and both_rest is null then 0
            when pop_shares_stratum then own_stratum_periods - own_adds_period - pop_adds_period - 1
            else
                case when own_rest is null then 0 else own_stratum_periods - own_adds_period - 1 end
                + case when pop_rest is null then 0 else pop_stratum_periods - pop_adds_period - 1 end
                - coalesce(pop_freedom, 0)
        end as pop_history_freedom
    from left_out
),

{#- The limits of each side, in units of the value; and the dispersion of each comparison, clusters within a period included. #}
limited as (
    select
        *,
        {%- for side in comparisons %}
        greatest(
            {{ dispersion(side ~ '_history', side ~ '_history_freedom') }},
            coalesce((own_squares + {{ side }}_squares) / nullif(own_numerator + {{ side }}_numerator, 0), 1e0)
        ) as {{ side }}_dispersion,
        {%- endfor %}
        greatest(1e0, coalesce(own_squares / nullif(own_numerator, 0), 1e0)) as cluster,
        case when kind = 'rate' then value_scale / nullif(own_denominator, 0) else value_scale end as per_event
        {%- for side in sides %},
        case
            when kind in ('count', 'amount') then {{ side }}_numerator * value_scale
            else {{ side }}_numerator * value_scale / nullif({{ side }}_denominator, 0)
        end as {{ side }}_value,
        case
            when is_score and {{ side }}_denominator > 0 and {{ side }}_square_weights > 0 and {{ side }}_squares > 0
                then {{ score_error(side ~ '_numerator', side ~ '_denominator', side ~ '_squares', side ~ '_square_weights') }} * value_scale
        end as {{ side }}_score_error,
        case when {{ side }}_square_weights > 0 then cast({{ side }}_denominator as double) * {{ side }}_denominator / {{ side }}_square_weights end as {{ side }}_effective
        {%- endfor %}
    from history
),

bounded as (
    select
        *
        {%- for side in sides %},
        case
            when is_share and {{ side }}_is_proper then {{ wilson_lower(side ~ '_numerator', side ~ '_denominator') }} * value_scale
            when {{ side }}_score_error > 1e-9 then greatest(0e0, {{ side }}_value - {{ z95() }}e0 * {{ side }}_score_error)
            when is_score and {{ side }}_effective > 0 and {{ side }}_value between 0 and 1
                then {{ wilson_lower('(' ~ side ~ '_value * ' ~ side ~ '_effective)', side ~ '_effective') }}
        end as {{ side }}_lower,
        case
            when is_share and {{ side }}_is_proper then {{ wilson_upper(side ~ '_numerator', side ~ '_denominator') }} * value_scale
            when {{ side }}_score_error > 1e-9 then least(1e0, {{ side }}_value + {{ z95() }}e0 * {{ side }}_score_error)
            when is_score and {{ side }}_effective > 0 and {{ side }}_value between 0 and 1
                then {{ wilson_upper('(' ~ side ~ '_value * ' ~ side ~ '_effective)', side ~ '_effective') }}
        end as {{ side }}_upper,
        case
            when {{ side }}_score_error > 1e-9 then {{ side }}_score_error
            when is_score and {{ side }}_effective > 0 and {{ side }}_value between 0 and 1
                then sqrt({{ side }}_value * (1e0 - {{ side }}_value) / {{ side }}_effective)
        end as {{ side }}_error
        {%- endfor %}
    from limited
),

{#- Both comparisons: counts by their rates, shares and scores by the difference in units of the value, money by its rate. #}
compared as (
    select
        *
        {%- for side in comparisons %}
        {%- set counts = ['own_numerator', side ~ '_numerator', side ~ '_own_exposure', side ~ '_' ~ side ~ '_exposure'] %},
        case
            when not {{ side }}_is_comparable then null
            when is_count or is_amount then case when {{ counts[2] }} > 0 and {{ counts[3] }} > 0 then {{ rate_ratio(*counts) }} end
            when is_share or is_score then own_value - {{ side }}_value
            else own_value / nullif({{ side }}_value, 0e0)
        end as {{ side }}_ratio,
        case
            when not {{ side }}_is_comparable then null
            when is_count and {{ counts[2] }} > 0 and {{ counts[3] }} > 0 then {{ rate_ratio_lower(*(counts + [side ~ '_dispersion'])) }}
            when is_share or is_score
                then {{ difference_lower(['own_value', 'own_lower', 'own_upper'], [side ~ '_value', side ~ '_lower', side ~ '_upper']) }}
        end as {{ side }}_lower95,
        case
            when not {{ side }}_is_comparable then null
            when is_count and {{ counts[2] }} > 0 and {{ counts[3] }} > 0 then {{ rate_ratio_upper(*(counts + [side ~ '_dispersion'])) }}
            when is_share or is_score
                then {{ difference_upper(['own_value', 'own_lower', 'own_upper'], [side ~ '_value', side ~ '_lower', side ~ '_upper']) }}
        end as {{ side }}_upper95,
        case
            when not {{ side }}_is_comparable then null
            when is_count and {{ counts[2] }} > 0 and {{ counts[3] }} > 0 then {{ count_z(*(counts + [side ~ '_dispersion'])) }}
            when is_share and own_is_proper and {{ side }}_is_proper
                then {{ share_z('own_numerator', 'own_denominator', side ~ '_numerator', side ~ '_denominator', side ~ '_dispersion') }}
            when is_score and own_error + {{ side }}_error > 0
                then (own_value - {{ side }}_value) / sqrt(own_error * own_error + {{ side }}_error * {{ side }}_error)
        end as {{ side }}_z,
        case
            when is_amount and {{ side }}_is_comparable and own_numerator > 0 and {{ side }}_numerator > 0
                then sqrt(
                    own_squares / own_numerator / own_numerator + {{ side }}_squares / {{ side }}_numerator / {{ side }}_numerator
                )
        end as {{ side }}_money_error
        {%- endfor %}
    from bounded
),

{#- The exact test only decides where a count (of shares: a cell of the 2 x 2 table) is 0; elsewhere |z| >= 3 implies p < 0.05. #}
tested as (
    select
        *
        {%- for side in comparisons %},
        case when {{ side }}_ratio > 0 and {{ side }}_money_error > 0 then ln({{ side }}_ratio) / {{ side }}_money_error end as {{ side }}_money_z,
        case
            when not {{ side }}_is_judged or {{ side }}_z is null or abs(round({{ side }}_z, 6)) < 3 then null
            when is_count then {{ conditional_p('own_numerator', side ~ '_numerator', side ~ '_own_exposure', side ~ '_' ~ side ~ '_exposure', 1) }}
            when is_share and own_numerator = 0
                then {{ fisher_p('0', 'own_denominator', side ~ '_numerator', '(own_denominator + ' ~ side ~ '_denominator)', 1) }}
            when is_share and {{ side }}_numerator = 0
                then {{ fisher_p('0', side ~ '_denominator', 'own_numerator', '(own_denominator + ' ~ side ~ '_denominator)', 1) }}
            when is_share and own_numerator = own_denominator
                then {{ fisher_p('0', 'own_denominator', '(' ~ side ~ '_denominator - ' ~ side ~ '_numerator)', '(own_denominator + ' ~ side ~ '_denominator)', 1) }}
            when is_share and {{ side }}_numerator = {{ side }}_denominator
                then {{ fisher_p('0', side ~ '_denominator', '(own_denominator - own_numerator)', '(own_denominator + ' ~ side ~ '_denominator)', 1) }}
        end as {{ side }}_p
        {%- endfor %}
    from compared
)

select
    series.product,
    series.kpi_id,
    series.kpi_name_zh,
    series.kpi_name_en,
    series.unit_code,
    series.unit_name,
    series.unit_level,
    series.unit_role,
    series.basis,
    case when period.part = '' then series.slice else period.part end as slice,
    period.grain,
    period.period_start,
    period.period_end,
    period.is_complete,
    tested.own_numerator as numerator,
    tested.own_denominator as denominator,
    tested.own_value as value,
    case
        when tested.kind in ('count', 'rate') and tested.is_count
            then greatest(0e0, tested.own_value - sqrt(tested.cluster) * (tested.own_numerator - {{ poisson_lower('tested.own_numerator', 'tested.poisson_lower95') }}) * tested.per_event)
        when tested.is_amount and tested.own_numerator > 0
            then tested.own_value * exp(-{{ z95() }}e0 * sqrt(tested.own_squares) / tested.own_numerator)
        else tested.own_lower
    end as lower95,
    case
        when tested.kind in ('count', 'rate') and tested.is_count
            then tested.own_value + sqrt(tested.cluster) * ({{ poisson_upper('tested.own_numerator', 'tested.poisson_upper95') }} - tested.own_numerator) * tested.per_event
        when tested.is_amount and tested.own_numerator > 0
            then tested.own_value * exp({{ z95() }}e0 * sqrt(tested.own_squares) / tested.own_numerator)
        else tested.own_upper
    end as upper95
    {%- for side in comparisons %},
    tested.{{ side }}_value,
    tested.{{ side }}_ratio,
    case
        when tested.{{ side }}_money_z is not null then tested.{{ side }}_ratio * exp(-{{ z95() }}e0 * tested.{{ side }}_money_error)
        else tested.{{ side }}_lower95
    end as {{ side }}_lower95,
    case
        when tested.{{ side }}_money_z is not null then tested.{{ side }}_ratio * exp({{ z95() }}e0 * tested.{{ side }}_money_error)
        else tested.{{ side }}_upper95
    end as {{ side }}_upper95,
    coalesce(tested.{{ side }}_z, tested.{{ side }}_money_z) as {{ side }}_z,
    case
        when tested.{{ side }}_is_judged then {{ change_verdict('coalesce(tested.' ~ side ~ '_z, tested.' ~ side ~ '_money_z)', 'tested.' ~ side ~ '_p') }}
    end as {{ side }}_verdict
    {%- endfor %},
    tested.is_broken or period.yoy_is_torn or period.pop_is_torn as series_break,
    false as suppressed,
    false as stale,
    night.as_of,
    cast(null as {{ dbt.type_string() }}) as origin_release
from tested
inner join {{ ref('int_kpi_series') }} as series on tested.series_id = series.series_id
inner join {{ ref('int_kpi_period') }} as period on series.scope_id = period.scope_id and tested.period_id = period.period_id
cross join night
