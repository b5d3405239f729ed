{#-
  The sums from which the dispersion of a series follows, per stratum of its complete days, weeks and months, and per season, year and
  in all: a comparison takes the total and leaves out what it compares. Squares are decimals, so that the order of adding is nothing.
-#}
with history as (
    select
        value.series_id,
        period.grain_no,
        period.stratum,
        period.season,
        period.year_no,
        series.is_share,
        value.numerator as events,
        cast(case when series.kind = 'count' then period.weight else value.denominator end as decimal(38, 3)) as exposure
    from {{ ref('int_kpi_value') }} as value
    inner join {{ ref('int_kpi_series') }} as series on value.series_id = series.series_id
    inner join {{ ref('int_kpi_period') }} as period on value.scope_id = period.scope_id and value.period_id = period.period_id
    where period.stratum is not null and (series.is_count or series.is_share) and series.time_rule <> 'last'
),

stratum_sum as (
    select
        series_id,
        grain_no,
        stratum,
        season,
        year_no,
        is_share,
        count(*) as periods,
        cast(sum(events) as double) as events,
        cast(sum(exposure) as double) as exposure,
        cast(sum(cast(cast(events as double) * (events / cast(exposure as double)) as decimal(38, 12))) as double) as squares
    from history
    where exposure > 0
    group by series_id, grain_no, stratum, season, year_no, is_share
),

stratum_spread as (
    select
        *,
        cast({{ pearson_chi_square('events', 'exposure', 'squares', 'is_share') }} as decimal(38, 6)) as chi_square
    from stratum_sum
)

select
    series_id,
    grain_no,
    stratum as part,
    events,
    exposure,
    squares,
    periods,
    coalesce(chi_square, 0) as chi_square,
    case when chi_square is null then 0 else periods - 1 end as freedom
from stratum_spread
{%- for part in ['year_no', '0'] %}
union all
select
    series_id,
    grain_no,
    {{ part }} as part,
    cast(null as double) as events,
    cast(null as double) as exposure,
    cast(null as double) as squares,
    cast(null as bigint) as periods,
    cast(sum(chi_square) as decimal(38, 6)) as chi_square,
    cast(sum(periods - 1) as bigint) as freedom
from stratum_spread
where chi_square is not null{% if part == 'year_no' %} and grain_no = 3{% endif %}
group by series_id, grain_no{% if part == 'year_no' %}, year_no{% endif %}
{%- endfor %}
