{#-
  How far the history of a series strays from its own strata, for each comparison. A stratum is a season of one year (for days, its days
  of one kind): seasons of different years have rates of their own, so that neither trend nor the change in question counts as noise.
  The seasons of both compared periods are left out, unless too little would be left. Quarters go by their months; years and years to
  date by the months of other years (a dispersion survives adding up periods).
  What a year is measured by is its own history and that of the two years before: what comes later changes no verdict on it.
  Periods that touch the Spring Festival are no history. Squares are added as decimals, so that the order of adding is nothing.
-#}
with period_figure as (
    select
        value.series_id,
        period.grain_no,
        period.year_no,
        period.season_no,
        period.day_class,
        value.method_no,
        value.numerator as events,
        case when series.is_count then period.weight else value.denominator end as exposure,
        period.is_history
    from {{ ref('int_kpi_value') }} as value
    inner join {{ ref('int_kpi_series') }} as series on value.series_id = series.series_id
    inner join {{ ref('int_kpi_period') }} as period on value.period_key = period.period_key
    where period.grain_no <= 3 and value.method_no in ({{ method_no('count') }}, {{ method_no('share') }}) and series.time_rule <> 'last'
),

history as (
    select
        series_id,
        grain_no,
        year_no,
        season_no,
        day_class,
        method_no,
        case when is_history and exposure > 0 then events end as events,
        case when is_history and exposure > 0 then exposure end as exposure
    from period_figure
),

stratum as (
    select
        series_id,
        grain_no,
        year_no,
        season_no,
        method_no,
        count(events) as periods,
        cast(sum(events) as double) as events,
        cast(sum(exposure) as double) as exposure,
        cast(sum(cast(events * (events / cast(exposure as double)) as decimal(38, 12))) as double) as squares
    from history
    group by series_id, grain_no, year_no, season_no, day_class, method_no
),

stratum_spread as (
    select
        series_id,
        grain_no,
        year_no,
        season_no,
        periods,
        cast({{ pearson_chi_square('events', 'exposure', 'squares', '(method_no = ' ~ method_no('share') ~ ')') }} as decimal(38, 6)) as chi_square
    from stratum
),

spread as (
    {%- for part in ['season_no', 'year_no'] %}
    {% if not loop.first %}union all {% endif -%}
    select
        series_id,
        grain_no,
        {{ part }} as part_no,
        {% if part == 'season_no' %}cast(floor((season_no - 1) / 4.0) as integer){% else %}year_no{% endif %} as part_year_no,
        {{ 4 if part == 'season_no' else 1 }} as parts_in_year,
        cast(coalesce(sum(chi_square), 0) as decimal(38, 6)) as chi_square,
        cast(coalesce(sum(case when chi_square is not null then periods - 1 end), 0) as integer) as freedom
    from stratum_spread
    {% if part == 'year_no' %}where grain_no = 3
    {% endif -%}
    group by series_id, grain_no, {{ part }}
    {%- endfor %}
),

totalled as (
    select
        *,
        cast(sum(chi_square) over of_three_years as decimal(38, 6)) as all_chi_square,
        cast(sum(freedom) over of_three_years as integer) as all_freedom
    from spread
    window of_three_years as (
        partition by series_id, grain_no, parts_in_year
        order by part_year_no
        range between 2 preceding and current row
    )
)

select
    {{ spread_key('own.series_id', 'own.grain_no * 100000000 + own.part_no') }} as spread_key
    {%- for side, prior in [('yoy', 'year_earlier'), ('pop', 'before')] %},
    {{ dispersion(
        'cast(own.all_chi_square - own.chi_square - coalesce(' ~ prior ~ '.chi_square, 0) as double)',
        '(own.all_freedom - own.freedom - coalesce(' ~ prior ~ '.freedom, 0))',
        'cast(own.all_chi_square as double)',
        'own.all_freedom') }} as {{ side }}_dispersion
    {%- endfor %}
from totalled as own
left join spread as year_earlier
    on
        own.series_id = year_earlier.series_id
        and own.grain_no = year_earlier.grain_no
        and own.parts_in_year = year_earlier.parts_in_year
        and own.part_no - own.parts_in_year = year_earlier.part_no
left join spread as before
    on
        own.series_id = before.series_id
        and own.grain_no = before.grain_no
        and own.parts_in_year = before.parts_in_year
        and own.part_no - 1 = before.part_no
