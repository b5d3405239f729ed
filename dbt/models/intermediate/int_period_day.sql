{#- Every day of every calendar and exposure pattern, with running sums: the exposure of any span of days is a difference of two rows. -#}
with spanned as (
    select
        {{ day_number('coalesce(min(fct_kpi_count.day), min(night.as_of))') }} - 800 as first_no,
        {{ day_number('min(night.as_of)') }} + 400 as last_no
    from {{ source('control', 'night') }} as night
    left join {{ ref('fct_kpi_count') }} as fct_kpi_count on fct_kpi_count.day <= night.as_of
),

day_no_only as (
    select {{ each_number('first_no', 'last_no') }} as day_no from spanned
),

numbered_day as (
    select
        cast(day_no as integer) as day_no,
        {{ day_from_number('day_no') }} as day
    from day_no_only
),

festival_window as (
    select
        'china' as calendar,
        {{ day_number('day') }} - 5 as first_no,
        {{ day_number('day') }} + 20 as last_no
    from {{ ref('spring_festival') }}
),

classed_day as (
    select
        pattern.calendar,
        pattern.product,
        cast(dense_rank() over (order by pattern.calendar, pattern.product) as integer) as pattern_no,
        numbered_day.day_no,
        numbered_day.day,
        case special.day_class
            when 'holiday' then 8
            when 'workday' then 9
            else {{ weekday_of_number('numbered_day.day_no') }}
        end as day_class,
        case when festival_window.first_no is not null then 1 else 0 end as is_festival,
        pattern.monday,
        pattern.tuesday,
        pattern.wednesday,
        pattern.thursday,
        pattern.friday,
        pattern.saturday,
        pattern.sunday,
        pattern.holiday,
        pattern.workday
    from numbered_day
    cross join {{ ref('calendar_weight') }} as pattern
    left join {{ ref('calendar_day') }} as special on pattern.calendar = special.calendar and numbered_day.day = special.day
    left join festival_window
        on pattern.calendar = festival_window.calendar and numbered_day.day_no between festival_window.first_no and festival_window.last_no
),

weighted_day as (
    select
        calendar,
        product,
        pattern_no,
        day_no,
        day,
        day_class,
        is_festival,
        cast(
            case day_class
                when 1 then monday
                when 2 then tuesday
                when 3 then wednesday
                when 4 then thursday
                when 5 then friday
                when 6 then saturday
                when 7 then sunday
                when 8 then holiday
                else workday
            end as decimal(9, 3)
        ) as weight
    from classed_day
)

select
    calendar,
    product,
    pattern_no,
    pattern_no * 1000000 + day_no as day_key,
    day_no,
    day,
    day_class,
    is_festival,
    weight,
    cast(sum(weight) over running as decimal(18, 3)) as weight_so_far,
    cast(sum(is_festival) over running as integer) as festival_days_so_far
from weighted_day
window running as (partition by calendar, product order by day_no rows between unbounded preceding and current row)
