{#-
  Every figure of every series and period, with a 0 where nothing was counted, so that a fall to nothing is seen. Sums over days; of a
  stock the last state that each leaf reported within the period, and no row where none did.
-#}
with series as (
    select
        series.series_id,
        series.scope_id,
        series.unit_first_no,
        series.unit_end_no
    from {{ ref('int_kpi_series') }} as series
    inner join (select distinct series_id from {{ ref('int_kpi_day') }}) as counted on series.series_id = counted.series_id
),

calendar as (
    select
        day_no,
        cast(extract(year from day) as integer) as year_no,
        cast(extract(year from day) * 12 + extract(month from day) as integer) as month_no
    from {{ ref('int_period_day') }}
    where calendar = 'plain' and product = 'any'
),

festival_day as (
    select
        day_no,
        cast(extract(year from day) as integer) as year_no
    from {{ ref('int_period_day') }}
    where calendar = 'china' and product = 'any' and is_festival = 1
),

{% set sums -%}
        cast(sum(numerator) as bigint) as numerator,
        cast(sum(denominator) as bigint) as denominator,
        cast(sum(squares) as decimal(38, 0)) as squares,
        cast(sum(square_weights) as decimal(38, 0)) as square_weights
{%- endset -%}
month_sum as (
    select
        counted.series_id,
        calendar.month_no,
        calendar.year_no,
        {{ sums }}
    from {{ ref('int_kpi_day') }} as counted
    inner join calendar on counted.day_no = calendar.day_no
    group by counted.series_id, calendar.month_no, calendar.year_no
),

festival_sum as (
    select
        counted.series_id,
        festival_day.year_no,
        {{ sums }}
    from {{ ref('int_kpi_day') }} as counted
    inner join festival_day on counted.day_no = festival_day.day_no
    group by counted.series_id, festival_day.year_no
),

period_sum as (
    select
        series_id,
        10000000 + day_no as period_id,
        numerator,
        denominator,
        squares,
        square_weights
    from {{ ref('int_kpi_day') }}
    union all
    select
        series_id,
        20000000 + cast(floor((day_no + 3) / 7.0) as integer) as period_id,
        {{ sums }}
    from {{ ref('int_kpi_day') }}
    group by series_id, cast(floor((day_no + 3) / 7.0) as integer)
    union all
    select
        series_id,
        30000000 + month_no as period_id,
        numerator,
        denominator,
        squares,
        square_weights
    from month_sum
    union all
    select
        series_id,
        40000000 + year_no * 4 + cast(floor((month_no - year_no * 12 - 1) / 3.0) as integer) + 1 as period_id,
        {{ sums }}
    from month_sum
    group by series_id, year_no, cast(floor((month_no - year_no * 12 - 1) / 3.0) as integer)
    union all
    select
        series_id,
        50000000 + year_no as period_id,
        {{ sums }}
    from month_sum
    group by series_id, year_no
    union all
    select
        month_sum.series_id,
        60000000 + to_date.month_no as period_id,
        {{ sums }}
    from month_sum
    inner join (select distinct year_no, month_no from calendar) as to_date
        on month_sum.year_no = to_date.year_no and month_sum.month_no <= to_date.month_no
    group by month_sum.series_id, to_date.month_no
    union all
    select
        series_id,
        70000000 + year_no as period_id,
        numerator,
        denominator,
        squares,
        square_weights
    from festival_sum
    union all
    select
        series_id,
        80000000 + year_no as period_id,
        cast(sum(numerator) as bigint) as numerator,
        cast(sum(denominator) as bigint) as denominator,
        cast(sum(squares) as decimal(38, 0)) as squares,
        cast(sum(square_weights) as decimal(38, 0)) as square_weights
    from (
        select series_id, year_no, numerator, denominator, squares, square_weights
        from month_sum
        where month_no - year_no * 12 <= 3
        union all
        select series_id, year_no, -numerator, -denominator, -squares, -square_weights
        from festival_sum
    ) as quarter_less_window
    group by series_id, year_no
),

dense as (
    select
        series.series_id,
        series.scope_id,
        period.period_id,
        coalesce(period_sum.numerator, 0) as numerator,
        coalesce(period_sum.denominator, 0) as denominator,
        period_sum.squares,
        period_sum.square_weights
    from series
    inner join {{ ref('int_kpi_period') }} as period on series.scope_id = period.scope_id
    left join period_sum on series.series_id = period_sum.series_id and period.period_id = period_sum.period_id
    where
        period.last_no >= series.unit_first_no
        and period.first_no < series.unit_end_no
),

stock_day as (
    select
        counted.kpi_id,
        counted.unit_code,
        counted.cell,
        counted.day,
        counted.numerator,
        counted.denominator,
        scope.scope_id,
        scope.period_id,
        max(counted.day) over (partition by scope.period_id, counted.kpi_id, counted.unit_code) as last_day
    from {{ ref('fct_kpi_count') }} as counted
    inner join {{ ref('dim_unit') }} as dim_unit on counted.unit_code = dim_unit.unit_code
    inner join {{ ref('int_kpi_period') }} as scope
        on
            counted.kpi_id = scope.kpi_id
            and dim_unit.root_code = scope.root_code
            and scope.time_rule = 'last'
            and counted.day between scope.period_start and scope.period_end
    cross join {{ source('control', 'night') }} as night
    where counted.day <= night.as_of
),

stock as (
    select
        link.series_id,
        stock_day.scope_id,
        stock_day.period_id,
        cast(sum(stock_day.numerator) as bigint) as numerator,
        cast(sum(stock_day.denominator) as bigint) as denominator,
        cast(null as decimal(38, 0)) as squares,
        cast(null as decimal(38, 0)) as square_weights
    from stock_day
    inner join {{ ref('int_kpi_link') }} as link
        on
            stock_day.kpi_id = link.kpi_id
            and stock_day.cell = link.cell
            and stock_day.unit_code = link.leaf_code
            and stock_day.day >= link.valid_from
            and stock_day.day < link.valid_to
    where stock_day.day = stock_day.last_day and link.role = 'figure'
    group by link.series_id, stock_day.scope_id, stock_day.period_id
)

select * from dense
union all
select * from stock
