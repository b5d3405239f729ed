{#-
  How far the history of every series strays from its own strata, by season. A stratum is a season of one year (for days, its days of one kind):
  seasons of different years have rates of their own, so that neither trend nor the change in question counts as noise. Periods that touch
  the Spring Festival are no history, and a stratum in which nothing is to be known has no row. Squares are added as decimals, so that the
  order of adding is nothing.
-#}
{{ config(materialized='redone_rows' if target.type == 'duckdb' else 'table') }}
{% set redoes_rows = builds_on_last() -%}
with history_period as (
    select
        period_key,
        scope_id,
        grain_no,
        year_no,
        season_no,
        day_class,
        weight
    from {{ ref('int_kpi_period') }}
    where
        is_history
        and grain_no <= 3
        {%- if redoes_rows %}
        and (
            (scope_id, grain_no, year_no) in ({{ touched_history() }})
            or scope_id in (select scope_id from {{ ref('int_kpi_series') }} where series_id in (select series_id from {{ ref('int_kpi_touched_series') }}))
        )
        {%- endif %}
),

history as (
    select
        value.series_id,
        period.scope_id,
        period.grain_no,
        period.year_no,
        period.season_no,
        period.day_class,
        value.method_no,
        value.numerator as events,
        case when series.is_count then period.weight else value.denominator end as exposure
    from {{ ref('int_kpi_value') }} as value
    inner join history_period as period on value.period_key = period.period_key
    inner join {{ ref('int_kpi_series') }} as series on value.series_id = series.series_id
    where value.method_no in ({{ method_no('count') }}, {{ method_no('share') }}) and series.time_rule <> 'last'
),

stratum as (
    select
        series_id,
        scope_id,
        grain_no,
        year_no,
        season_no,
        method_no,
        count(*) as periods,
        cast(sum(events) as double) as events,
        cast(sum(exposure) as double) as exposure,
        cast(sum(cast(events * (events / cast(exposure as double)) as decimal(38, 12))) as double) as squares
    from history
    where exposure > 0
    group by series_id, scope_id, grain_no, year_no, season_no, day_class, method_no
),

spread as (
    select
        stratum.*,
        cast({{ pearson_chi_square('events', 'exposure', 'squares', '(method_no = ' ~ method_no('share') ~ ')') }} as decimal(38, 6)) as chi_square
    from stratum
)

select
    series_id,
    scope_id,
    grain_no,
    year_no,
    season_no,
    cast(sum(chi_square) as decimal(38, 6)) as chi_square,
    cast(sum(periods - 1) as integer) as freedom
from spread
where
    chi_square is not null
    {%- if redoes_rows %}
    and ({{ redone_where('int_kpi_stratum') }})
    {%- endif %}
group by series_id, scope_id, grain_no, year_no, season_no
-- depends_on: {{ ref('int_kpi_touched_series') }}
-- depends_on: {{ ref('int_kpi_touched_period') }}
