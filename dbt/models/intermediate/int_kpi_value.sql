{#-
  The sums of every series and period, with a 0 where nothing was counted, so that a fall to nothing is seen. Of a stock it is the last
  state that each leaf reported within the period, and no row where none did: of the leaves that are there when it ends, and of 未归属, which
  is not one unit that lives on, only what the last report of all left there. A report without a figure is no state. `squares` and `square_weights` are the sums that widen
  the limits of clustered counts, of money and of scores.
-#}
{{ config(materialized='redone_rows' if target.type == 'duckdb' else 'table') }}
{% set redoes_rows = builds_on_last() -%}
{% set periods = 'period_redone' if redoes_rows else ref('int_kpi_period') -%}
{% set counts = 'count_read' if redoes_rows else ref('fct_kpi_count') -%}
{% set sums -%}
        cast(sum(numerator) as bigint) as numerator,
        cast(sum(denominator) as bigint) as denominator
{%- endset -%}
with
{%- if redoes_rows %}
{#- What is read again: the months of touched periods, and of a touched series everything. No other sum is whole, and none is kept. #}
month_read as (
    select distinct
        period.kpi_id,
        dim_unit.unit_code,
        month_period.period_id - 30000000 as month_no
    from {{ ref('int_kpi_period') }} as period
    inner join {{ ref('dim_unit') }} as dim_unit on period.root_code = dim_unit.root_code
    inner join {{ ref('int_period') }} as month_period
        on month_period.grain_no = 3 and month_period.first_no <= period.ends_no and month_period.last_no >= period.first_no
    where period.period_key in (select period_key from {{ ref('int_kpi_touched_period') }} where is_counted)
),

cell_read as (
    select distinct
        kpi_id,
        cell,
        leaf_code
    from {{ ref('int_kpi_link') }}
    where series_id in (select series_id from {{ ref('int_kpi_touched_series') }})
),

count_read as (
    select counted.*
    from {{ ref('fct_kpi_count') }} as counted
    inner join month_read
        on
            counted.kpi_id = month_read.kpi_id
            and counted.unit_code = month_read.unit_code
            and {{ month_number('counted.day') }} = month_read.month_no
    union all
    select counted.*
    from {{ ref('fct_kpi_count') }} as counted
    inner join cell_read on counted.kpi_id = cell_read.kpi_id and counted.cell = cell_read.cell and counted.unit_code = cell_read.leaf_code
    left join month_read
        on
            counted.kpi_id = month_read.kpi_id
            and counted.unit_code = month_read.unit_code
            and {{ month_number('counted.day') }} = month_read.month_no
    where month_read.kpi_id is null
),

period_redone as (
    {{ periods_redone() }}
),
{%- endif %}

day_sum as (
    select
        link.series_id,
        {{ day_number('counted.day') }} as day_no,
        {{ sums }}
    from {{ counts }} as counted
    {{ join_link('counted') }}
    cross join {{ source('control', 'night') }} as night
    where
        counted.day <= night.as_of
        and link.time_rule <> 'last'
        and link.role = 'figure'
    group by link.series_id, {{ day_number('counted.day') }}
),

calendar as (
    select
        day_no,
        cast(floor((day_no + 3) / 7.0) as integer) as week_no,
        {{ month_number('day') }} as month_no,
        cast(extract(year from day) as integer) as year_no
    from {{ ref('int_period_day') }}
    where calendar = 'plain' and product = 'any'
),

month_of_year as (
    select distinct
        month_no,
        year_no,
        year_no * 4 + cast(floor((month_no - year_no * 12 - 1) / 3.0) as integer) + 1 as quarter_no
    from calendar
),

festival_day as (
    select
        day_no,
        cast(extract(year from day) as integer) as year_no
    from {{ ref('int_period_day') }}
    where calendar = 'china' and product = 'any' and is_festival = 1
),

week_sum as (
    select
        counted.series_id,
        calendar.week_no,
        {{ sums }}
    from day_sum as counted
    inner join calendar on counted.day_no = calendar.day_no
    group by counted.series_id, calendar.week_no
),

month_sum as (
    select
        counted.series_id,
        calendar.month_no,
        {{ sums }}
    from day_sum as counted
    inner join calendar on counted.day_no = calendar.day_no
    group by counted.series_id, calendar.month_no
),

festival_sum as (
    select
        counted.series_id,
        festival_day.year_no,
        {{ sums }}
    from day_sum as counted
    inner join festival_day on counted.day_no = festival_day.day_no
    group by counted.series_id, festival_day.year_no
),

first_quarter_part as (
    select series_id, year_no, numerator, denominator
    from month_sum
    inner join month_of_year on month_sum.month_no = month_of_year.month_no
    where month_of_year.quarter_no = month_of_year.year_no * 4 + 1
    union all
    select series_id, year_no, -numerator as numerator, -denominator as denominator
    from festival_sum
),

period_sum as (
    select series_id, 10000000 + day_no as period_id, numerator, denominator from day_sum
    union all
    select series_id, 20000000 + week_no as period_id, numerator, denominator from week_sum
    union all
    select series_id, 30000000 + month_no as period_id, numerator, denominator from month_sum
    union all
    select
        series_id,
        40000000 + quarter_no as period_id,
        {{ sums }}
    from month_sum
    inner join month_of_year on month_sum.month_no = month_of_year.month_no
    group by series_id, quarter_no
    union all
    select
        series_id,
        50000000 + year_no as period_id,
        {{ sums }}
    from month_sum
    inner join month_of_year on month_sum.month_no = month_of_year.month_no
    group by series_id, year_no
    union all
    select
        month_sum.series_id,
        60000000 + to_date.month_no as period_id,
        {{ sums }}
    from month_sum
    inner join month_of_year on month_sum.month_no = month_of_year.month_no
    inner join month_of_year as to_date on month_of_year.year_no = to_date.year_no and month_of_year.month_no <= to_date.month_no
    group by month_sum.series_id, to_date.month_no
    union all
    select series_id, 70000000 + year_no as period_id, numerator, denominator from festival_sum
    union all
    select
        series_id,
        80000000 + year_no as period_id,
        {{ sums }}
    from first_quarter_part
    group by series_id, year_no
),

keyed_sum as (
    select
        {{ figure_key('series_id', 'period_id') }} as figure_key,
        numerator,
        denominator
    from period_sum
),

square_sum as (
    select
        {{ figure_key('series.series_id', 'period.period_id') }} as figure_key,
        cast(cast(sum(
            case link.role
                when 'squares' then counted.numerator
                when 'squares_of_yuan' then cast(counted.numerator as decimal(38, 0)) * 10000
                else {{ same_score_squares('counted.numerator', 'counted.denominator') }}
            end
        ) as decimal(38, 0)) as double) as squares,
        cast(cast(sum(counted.denominator) as decimal(38, 0)) as double) as square_weights
    from {{ counts }} as counted
    {{ join_link('counted') }}
            and link.role in ('squares', 'squares_of_yuan', 'scores')
    inner join {{ ref('int_kpi_series') }} as series on link.series_id = series.series_id
    inner join {{ periods }} as period
        on series.scope_id = period.scope_id and counted.day between period.period_start and period.period_end and period.part = ''
    cross join {{ source('control', 'night') }} as night
    where counted.day <= night.as_of
    group by series.series_id, period.period_id
),

counted_series as (
    select distinct series_id
    from {{ ref('int_kpi_link') }}
    where role = 'figure' and time_rule <> 'last'
),

series_period as (
    select
        series.series_id,
        series.method_no,
        period.period_key,
        {{ figure_key('series.series_id', 'period.period_id') }} as figure_key
    from counted_series
    inner join {{ ref('int_kpi_series') }} as series on counted_series.series_id = series.series_id
    inner join {{ periods }} as period on series.scope_id = period.scope_id
    where
        period.ends_no >= series.unit_first_no
        and period.first_no < series.unit_end_no
        and (series.slice = '' or period.has_slices)
),

dense as (
    select *
    from series_period
    {%- if redoes_rows %}
    where {{ redone_where('int_kpi_value') }}
    {%- endif %}
),

stock_day as (
    select
        counted.kpi_id,
        counted.unit_code,
        counted.cell,
        counted.day,
        counted.numerator,
        counted.denominator,
        period.period_id,
        period.period_key,
        period.has_slices,
        case
            when counted.unit_code = period.root_code || '.unassigned'
                then max(case when counted.cell not like 'excluded:%' then counted.day end) over (partition by period.period_key)
            else max(case when counted.cell not like 'excluded:%' then counted.day end) over (partition by period.period_key, counted.unit_code)
        end as last_day
    from {{ counts }} as counted
    inner join {{ ref('dim_unit') }} as dim_unit on counted.unit_code = dim_unit.unit_code
    inner join {{ periods }} as period
        on
            counted.kpi_id = period.kpi_id
            and dim_unit.root_code = period.root_code
            and period.time_rule = 'last'
            and counted.day between period.period_start and period.period_end
    cross join {{ source('control', 'night') }} as night
    where
        counted.day <= night.as_of
        and coalesce({{ day_number('dim_unit.valid_to') }}, {{ day_number("cast('9999-12-31' as date)") }}) > period.reached_no
),

stock as (
    select
        {{ figure_key('link.series_id', 'stock_day.period_id') }} as figure_key,
        link.series_id,
        stock_day.period_key,
        cast(sum(stock_day.numerator) as bigint) as numerator,
        cast(sum(stock_day.denominator) as bigint) as denominator
    from stock_day
    {{ join_link('stock_day') }}
    where stock_day.day = stock_day.last_day and link.role = 'figure' and (link.slice = '' or stock_day.has_slices)
    group by link.series_id, stock_day.period_id, stock_day.period_key
),

stock_redone as (
    select *
    from stock
    {%- if redoes_rows %}
    where {{ redone_where('int_kpi_value') }}
    {%- endif %}
)

select
    dense.figure_key,
    dense.series_id,
    dense.period_key,
    dense.method_no,
    coalesce(keyed_sum.numerator, 0) as numerator,
    coalesce(keyed_sum.denominator, 0) as denominator,
    square_sum.squares,
    square_sum.square_weights
from dense
left join keyed_sum on dense.figure_key = keyed_sum.figure_key
left join square_sum on dense.figure_key = square_sum.figure_key
union all
select
    stock.figure_key,
    stock.series_id,
    stock.period_key,
    series.method_no,
    stock.numerator,
    stock.denominator,
    cast(null as double) as squares,
    cast(null as double) as square_weights
from stock_redone as stock
inner join {{ ref('int_kpi_series') }} as series on stock.series_id = series.series_id
-- depends_on: {{ ref('int_kpi_touched_series') }}
-- depends_on: {{ ref('int_kpi_touched_period') }}
-- depends_on: {{ ref('dim_unit') }}
-- depends_on: {{ ref('int_period') }}
-- depends_on: {{ ref('int_kpi_period') }}
