{#- Every period of every grain, with the period a year earlier and the one before. Two parts of quarter 1 stand beside the grains: the days
around the Spring Festival, and the rest. Periods cut by the edge of the calendar are left out. -#}
{% set grains = ['day', 'week', 'month', 'quarter', 'year', 'ytd', 'festival_window', 'festival_rest'] -%}
with calendar_day as (
    select
        day_no,
        cast(extract(year from day) as integer) as year_no,
        cast(extract(quarter from day) as integer) as quarter_no,
        cast(extract(month from day) as integer) as month_no,
        cast(extract(day from day) as integer) as day_of_month,
        cast(floor((day_no + 3) / 7.0) as integer) as week_no
    from {{ ref('int_period_day') }}
    where calendar = 'plain' and product = 'any'
),

festival_day as (
    select
        day_no,
        cast(extract(year from day) as integer) as year_no,
        is_festival
    from {{ ref('int_period_day') }}
    where calendar = 'china' and product = 'any' and extract(quarter from day) = 1
),

month_span as (
    select
        year_no,
        quarter_no,
        month_no,
        min(day_no) as first_no,
        max(day_no) as last_no
    from calendar_day
    group by year_no, quarter_no, month_no
),

week_span as (
    select
        week_no,
        min(day_no) as first_no,
        max(day_no) as last_no,
        cast(extract(year from {{ day_from_number('week_no * 7') }}) as integer) as year_no,
        cast(floor((extract(doy from {{ day_from_number('week_no * 7') }}) - 1) / 7.0) as integer) + 1 as iso_week
    from calendar_day
    group by week_no
),

{#- `position` names a period within its year: the same position a year earlier is its prior, if there is one. Seasons are quarters; of weeks, 13 each. #}
placed as (
    select 1 as grain_no, day_no as ordinal, day_no as first_no, day_no as last_no, year_no, quarter_no, month_no * 100 + day_of_month as position
    from calendar_day
    union all
    select
        2 as grain_no,
        week_no as ordinal,
        first_no,
        last_no,
        year_no,
        least(cast(floor((iso_week - 1) / 13.0) as integer) + 1, 4) as quarter_no,
        iso_week as position
    from week_span
    where last_no - first_no = 6
    union all
    select 3 as grain_no, year_no * 12 + month_no as ordinal, first_no, last_no, year_no, quarter_no, month_no as position
    from month_span
    union all
    select 4 as grain_no, year_no * 4 + quarter_no as ordinal, min(first_no) as first_no, max(last_no) as last_no, year_no, quarter_no, quarter_no as position
    from month_span
    group by year_no, quarter_no
    union all
    select 5 as grain_no, year_no as ordinal, min(first_no) as first_no, max(last_no) as last_no, year_no, 0 as quarter_no, 0 as position
    from month_span
    group by year_no
    union all
    select
        6 as grain_no,
        month_span.year_no * 12 + month_span.month_no as ordinal,
        min(earlier.first_no) as first_no,
        month_span.last_no,
        month_span.year_no,
        0 as quarter_no,
        month_span.month_no as position
    from month_span
    inner join month_span as earlier on month_span.year_no = earlier.year_no and month_span.month_no >= earlier.month_no
    group by month_span.year_no, month_span.month_no, month_span.last_no
    union all
    select 7 as grain_no, year_no as ordinal, min(day_no) as first_no, max(day_no) as last_no, year_no, 1 as quarter_no, 0 as position
    from festival_day
    where is_festival = 1
    group by year_no
    union all
    select 8 as grain_no, year_no as ordinal, min(day_no) as first_no, max(day_no) as last_no, year_no, 1 as quarter_no, 0 as position
    from festival_day
    group by year_no
    having max(is_festival) = 1
),

edge as (
    select
        min(day_no) as first_no,
        max(day_no) as last_no
    from calendar_day
),

{#- A year to date is there once its last month has begun; the parts of quarter 1 carry its dates. #}
whole as (
    select
        placed.*,
        coalesce(to_date.first_no, placed.first_no) as opens_no,
        coalesce(quarter.first_no, placed.first_no) as starts_no,
        coalesce(quarter.last_no, placed.last_no) as ends_no
    from placed
    cross join edge
    left join month_span as to_date
        on placed.grain_no = 6 and placed.year_no = to_date.year_no and placed.position = to_date.month_no
    left join placed as quarter
        on placed.grain_no >= 7 and quarter.grain_no = 4 and placed.year_no = quarter.year_no and quarter.quarter_no = 1
    where placed.first_no > edge.first_no and placed.last_no < edge.last_no
)

select
    whole.grain_no,
    case whole.grain_no
        {%- for grain in grains %}
        when {{ loop.index }} then '{{ grain if loop.index <= 6 else 'quarter' }}'
        {%- endfor %}
    end as grain,
    case whole.grain_no when 7 then 'festival:window' when 8 then 'festival:rest' else '' end as part,
    whole.grain_no * 10000000 + whole.ordinal as period_id,
    whole.first_no,
    whole.last_no,
    whole.opens_no,
    whole.ends_no,
    {{ day_from_number('whole.starts_no') }} as period_start,
    {{ day_from_number('whole.ends_no') }} as period_end,
    whole.year_no,
    case when whole.grain_no in (5, 6) then whole.year_no else whole.year_no * 4 + whole.quarter_no end as season_no,
    earlier.grain_no * 10000000 + earlier.ordinal as yoy_period_id,
    case when whole.grain_no <= 5 then whole.grain_no * 10000000 + whole.ordinal - 1 end as pop_period_id
from whole
left join whole as earlier
    on whole.grain_no = earlier.grain_no and whole.year_no - 1 = earlier.year_no and whole.position = earlier.position
