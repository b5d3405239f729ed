{#-
  What each flag counts, by unit and period: the months of its window up to the end of the period. Only periods that are over and matured,
  and whose window has whole months alone (and lies after the year that is its baseline); only real units of the levels that the
  flag is for. A unit that was made up otherwise, or had another responsibility, in its baseline is no measure of itself: no window then.
  alike_since_no is the first month from which on it was what it was in the window.
-#}
with month_length as (
    select
        period_id - 30000000 as month_no,
        ends_no - first_no + 1 as days
    from {{ ref('int_period') }}
    where grain_no = 3
),

unit_month as (
    select
        flag_month.*,
        dim_unit.root_code,
        dim_unit.unit_level,
        dim_unit.is_pseudo,
        month_length.days
    from {{ ref('int_flag_month') }} as flag_month
    inner join {{ ref('dim_unit') }} as dim_unit on flag_month.unit_code = dim_unit.unit_code
    inner join month_length on flag_month.month_no = month_length.month_no
),

window_end as (
    select
        flag.flag_id,
        flag.figure,
        flag.method,
        flag.reference,
        flag.level,
        flag.direction,
        flag.fixed_share,
        flag.least_trials,
        flag.least_observed,
        flag.unit_levels,
        flag.grain,
        flag.window_months,
        period.period_id,
        period.period_start,
        period.period_end,
        period.year_no,
        case when period.grain_no = 3 then period.period_id - 30000000 else (period.period_id - 40000000) * 3 end as last_month_no
    from {{ ref('integrity_flag') }} as flag
    inner join {{ ref('int_period') }} as period
        on period.grain_no = case flag.grain when 'month' then 3 else 4 end
    cross join {{ source('control', 'night') }} as night
    where period.ends_no + flag.maturity_days <= {{ day_number('night.as_of') }}
),

{#- Distinct they are anyway: said so, the engine finds them first, and does not pair the months of a root with each other. #}
window_of_root as (
    select distinct
        window_end.*,
        whole_month.root_code
    from window_end
    inner join {{ ref('int_flag_whole_month') }} as whole_month
        on
            window_end.figure = whole_month.figure
            and window_end.last_month_no = whole_month.month_no
            and window_end.last_month_no - window_end.window_months + 1 >= whole_month.whole_since_no
),

figure_role as (
    select distinct
        term.figure,
        catalogue.unit_role
    from {{ ref('integrity_flag_term') }} as term
    inner join {{ ref('kpi_catalogue') }} as catalogue on term.kpi_id = catalogue.kpi_id
),

unit_change as (
    select
        figure_role.figure,
        changed.unit_code,
        changed.changed_on,
        {{ month_number(day_from_number(day_number('changed.changed_on') ~ ' - 1')) }} + 1 as alike_since_no
    from {{ ref('int_kpi_unit_change') }} as changed
    inner join figure_role on changed.role is null or changed.role = figure_role.unit_role
    where changed.changed_on > (select min(period_start) from window_end)
),

window_change as (
    select
        window_end.flag_id,
        window_end.period_id,
        unit_change.unit_code,
        max(unit_change.alike_since_no) as alike_since_no
    from window_end
    inner join unit_change on window_end.figure = unit_change.figure and unit_change.changed_on <= window_end.period_end
    group by window_end.flag_id, window_end.period_id, unit_change.unit_code
)

select
    window_of_root.flag_id,
    window_of_root.figure,
    window_of_root.method,
    window_of_root.reference,
    window_of_root.level,
    window_of_root.direction,
    window_of_root.fixed_share,
    window_of_root.least_trials,
    window_of_root.least_observed,
    unit_month.unit_code,
    unit_month.root_code,
    unit_month.unit_level,
    window_of_root.grain,
    window_of_root.period_id,
    window_of_root.period_start,
    window_of_root.period_end,
    window_of_root.year_no,
    window_of_root.last_month_no,
    window_of_root.last_month_no - window_of_root.window_months + 1 as first_month_no,
    coalesce(window_change.alike_since_no, 0) as alike_since_no,
    cast(sum(unit_month.days) as integer) as days,
    cast(sum(unit_month.observed) as bigint) as observed,
    cast(sum(unit_month.trials) as bigint) as trials,
    cast(sum(unit_month.other_observed) as bigint) as other_observed,
    cast(sum(unit_month.other_trials) as bigint) as other_trials,
    cast(sum(unit_month.part_squares) as decimal(38, 0)) as part_squares,
    cast(sum(cast(unit_month.observed * (unit_month.observed / cast(unit_month.days as double)) as decimal(38, 12))) as decimal(38, 12)) as month_squares
from window_of_root
inner join unit_month
    on
        window_of_root.figure = unit_month.figure
        and window_of_root.root_code = unit_month.root_code
        and unit_month.month_no between window_of_root.last_month_no - window_of_root.window_months + 1 and window_of_root.last_month_no
        and (window_of_root.reference <> 'baseline' or window_of_root.last_month_no - window_of_root.window_months >= window_of_root.year_no * 12)
left join window_change
    on
        window_of_root.flag_id = window_change.flag_id
        and window_of_root.period_id = window_change.period_id
        and unit_month.unit_code = window_change.unit_code
where
    not unit_month.is_pseudo
    and (window_of_root.reference <> 'baseline' or coalesce(window_change.alike_since_no, 0) <= (window_of_root.year_no - 1) * 12 + 1)
    and '|' || window_of_root.unit_levels || '|' like '%|' || unit_month.unit_level || '|%'
group by
    window_of_root.flag_id,
    window_of_root.figure,
    window_of_root.method,
    window_of_root.reference,
    window_of_root.level,
    window_of_root.direction,
    window_of_root.fixed_share,
    window_of_root.least_trials,
    window_of_root.least_observed,
    unit_month.unit_code,
    unit_month.root_code,
    unit_month.unit_level,
    window_of_root.grain,
    window_of_root.period_id,
    window_of_root.period_start,
    window_of_root.period_end,
    window_of_root.year_no,
    window_of_root.last_month_no,
    window_of_root.window_months,
    window_change.alike_since_no
