{#-
  The periods of every KPI under every root: from the first in which it was counted to the last in which its family was, never
  beyond the night. Whether each is covered from its first day to its last and, matured besides, complete, its exposure, the two periods it
  is compared with, and whether like meets like.
  No grain is finer than the root delivers, nor than the figure is published by. Slices begin at the month (at the week where weeks are
  delivered): by day they would outnumber the figures many times over, and stay in fct_kpi_count. Days and weeks go back ten years: one
  row with a wrong date must not fill a century of days with zeros.
  What is known by day is covered from the day on which its family began to be counted: the month in which a nightly feed began is no whole
  month (a stock is the last state of its period, whatever was before). A day alone in its month is no beginning but a wrong date, if a
  family as quiet as this one was afterwards would not keep so quiet after it once in a thousand times: (t / (t + g)) to the power of n + 1,
  g the quiet days after it, t those where the next n months counted (twelve at most) met, and 31 more. It is covered to the end of the
  last month counted, quiet days included, unless the family is hardly ever quiet for so long: then to the last day counted. Its family are
  the KPIs of its root and product (or of the family named, with whose deliveries it begins and stops) that are known by day and need a
  delivery of their own to be counted (what a register, the night itself or the records of another feed add to every day tells of no feed). How quiet it is shows where one counted
  month ends and the next begins; from a month on, a gap says no more (it may be a wrong date). What falls due goes on without deliveries:
  of such figures the days on which something was recorded tell how long they came, not those on which it was due. A figure made of the
  records of two families (clearances beside cases filed) is covered where both are; one that began up to a week after the other began with it,
  for what follows upon records begins after them. What has to be followed up was so to the night, or to
  the last day of a family that has been quiet, up to a week before the night, for longer than it ever would be.
-#}
{% set days_kept_by_day = 3653 -%}
{% set longest_gap = 31 -%}
{% set least_chance = 0.05 -%}
{% set least_chance_of_a_beginning = 0.001 -%}
{% set turns_of_a_beginning = 12 -%}
{% set days_of_late_rows = 7 -%}
{#- The number of a day plus this, by seven, is how many Sundays there were up to it. -#}
{% set sunday_no = 4 -%}
{% set comparisons = ['yoy', 'pop'] -%}
{% set families = ['family', 'other_family'] -%}
with counted_in_month as (
    select
        counted_month.kpi_id,
        dim_unit.root_code,
        counted_month.month_no,
        min(counted_month.first_day) as first_day,
        max(counted_month.last_day) as last_day,
        min(dim_unit.group_name) as group_name
    from {{ ref('int_kpi_count_month') }} as counted_month
    inner join {{ ref('dim_unit') }} as dim_unit on counted_month.unit_code = dim_unit.unit_code
    group by counted_month.kpi_id, dim_unit.root_code, counted_month.month_no
),

counted as (
    select
        counted_in_month.kpi_id,
        counted_in_month.root_code,
        min(counted_in_month.first_day) as first_day,
        max(counted_in_month.last_day) as last_day,
        min(counted_in_month.group_name) as group_name,
        min(night.as_of) as as_of
    from counted_in_month
    cross join {{ source('control', 'night') }} as night
    group by counted_in_month.kpi_id, counted_in_month.root_code
),

scope as (
    select
        {{ kept_number('counted', ['kpi_id', 'root_code'], 'scope_id', 'int_kpi_period') }} as scope_id,
        counted.kpi_id,
        counted.root_code,
        catalogue.kind,
        catalogue.time_rule,
        cast(catalogue.maturity_days as integer) as maturity_days,
        {{ day_number('counted.first_day') }} as first_no,
        {{ day_number('counted.last_day') }} as own_last_no,
        {{ day_number('max(counted.last_day) over (partition by catalogue.product, counted.root_code)') }} as product_last_no,
        kpi_grain.family is not null as is_of_named_family,
        {{ day_number('counted.as_of') }} as as_of_no,
        coalesce(root_calendar.calendar, group_calendar.calendar, 'plain') as calendar,
        greatest(
            {{ grain_no("coalesce(root_calendar.finest_grain, group_calendar.finest_grain, 'day')") }},
            {{ grain_no("coalesce(kpi_grain.finest_grain, 'day')") }}
        ) as finest_grain_no,
        {{ grain_no("coalesce(root_calendar.finest_grain, group_calendar.finest_grain, 'day')") }} = 1
        and coalesce(kpi_grain.is_counted_by_day, true) as is_known_by_day,
        coalesce(kpi_grain.needs_delivery, true) as needs_delivery,
        coalesce(kpi_grain.family, catalogue.product) as family,
        kpi_grain.other_family,
        catalogue.product
    from counted
    inner join {{ ref('kpi_catalogue') }} as catalogue on counted.kpi_id = catalogue.kpi_id
    left join {{ ref('calendar_root') }} as root_calendar on counted.root_code = root_calendar.root_code
    left join {{ ref('calendar_root') }} as group_calendar
        on counted.group_name = group_calendar.group_name and group_calendar.root_code is null
    left join {{ ref('kpi_grain') }} as kpi_grain on counted.kpi_id = kpi_grain.kpi_id
    {{ join_kept_number('counted', ['kpi_id', 'root_code'], 'scope_id', 'int_kpi_period') }}
),

pattern as (
    select distinct
        calendar,
        product,
        pattern_no
    from {{ ref('int_period_day') }}
),

recording as (
    select distinct
        kpi_id,
        root_code
    from {{ ref('int_kpi_recorded_month') }}
),

{#- A family begins when it is counted; what it goes on with are records, where a figure has any, else what is counted. -#}
kpi_month as (
    select
        true as is_of_beginning,
        recording.kpi_id is null as is_of_end,
        counted_in_month.kpi_id,
        counted_in_month.root_code,
        counted_in_month.month_no,
        counted_in_month.first_day,
        counted_in_month.last_day
    from counted_in_month
    left join recording on counted_in_month.kpi_id = recording.kpi_id and counted_in_month.root_code = recording.root_code
    union all
    select
        false as is_of_beginning,
        true as is_of_end,
        kpi_id,
        root_code,
        month_no,
        first_day,
        last_day
    from {{ ref('int_kpi_recorded_month') }}
),

family_month as (
    {%- for side in ['beginning', 'end'] %}
    {% if not loop.first %}union all {% endif -%}
    select
        '{{ side }}' as side,
        scope.family,
        scope.root_code,
        kpi_month.month_no,
        {{ day_number('min(kpi_month.first_day)') }} as first_no,
        {{ day_number('max(kpi_month.last_day)') }} as last_no
    from kpi_month
    inner join scope on kpi_month.kpi_id = scope.kpi_id and kpi_month.root_code = scope.root_code
    where scope.is_known_by_day and scope.needs_delivery and kpi_month.is_of_{{ side }}
    group by scope.family, scope.root_code, kpi_month.month_no
    {%- endfor %}
),

turned_month as (
    select
        family_month.*,
        first_no - lag(last_no) over (partition by side, family, root_code order by month_no) - 1 as quiet_days
    from family_month
),

following_month as (
    select
        turned_month.*,
        lead(quiet_days) over (partition by side, family, root_code order by month_no) as quiet_after,
        coalesce(sum(quiet_days) over later_turns, 0) + {{ longest_gap }} as quiet_later,
        count(quiet_days) over later_turns as turns_later
    from turned_month
    window later_turns as (
        partition by side, family, root_code order by month_no rows between 2 following and {{ turns_of_a_beginning + 1 }} following
    )
),

family_quiet as (
    select
        side,
        family,
        root_code,
        first_no,
        last_no,
        case when quiet_days is not null then least(quiet_days, {{ longest_gap }}) end as quiet_days,
        first_no = last_no
        and quiet_after is not null
        and round(power(quiet_later / cast(quiet_later + quiet_after as double), turns_later + 1), 6) <= {{ least_chance_of_a_beginning }} as is_alone
    from following_month
),

family_span as (
    select
        family,
        root_code,
        min(case when side = 'beginning' and not is_alone then first_no end) as first_no,
        max(case when side = 'end' then last_no end) as last_no,
        coalesce(
            sum(case when side = 'end' then quiet_days end)
            / cast(nullif(sum(case when side = 'end' then quiet_days + 1 end), 0) as double),
            0e0
        ) as quiet_share
    from family_quiet
    group by family, root_code
),

scope_of_family as (
    select
        scope.*,
        {%- for family in families %}
        {%- set other = families[1 - loop.index0] %}
        case
            when {{ family }}_span.first_no - {{ other }}_span.first_no between 1 and {{ days_of_late_rows }} then {{ other }}_span.first_no
            else {{ family }}_span.first_no
        end as {{ family }}_first_no,
        {{ family }}_span.last_no as {{ family }}_last_no,
        {{ family }}_span.quiet_share as {{ family }}_quiet_share,
        {%- endfor %}
        case
            when scope.is_known_by_day
                then max(case when scope.is_known_by_day then scope.own_last_no end) over (partition by scope.family, scope.root_code)
            when family_span.last_no is not null then greatest(family_span.last_no, scope.own_last_no)
            else scope.product_last_no
        end as last_no
    from scope
    {%- for family in families %}
    left join family_span as {{ family }}_span
        on
            scope.{{ family }} = {{ family }}_span.family
            and scope.root_code = {{ family }}_span.root_code
            and (scope.is_known_by_day or scope.is_of_named_family)
    {%- endfor %}
),

{#- Deliveries by month or by year cover the whole of it. #}
covered_scope as (
    select
        scope.*,
        scope.time_rule = 'sum' and scope.finest_grain_no = 2 and not scope.is_known_by_day as is_of_weeks,
        coalesce(own_pattern.pattern_no, any_pattern.pattern_no) * 1000000 as pattern_key,
        case
            when scope.time_rule = 'last' or not (scope.is_known_by_day or scope.is_of_named_family) then first_cover.first_no
            when scope.needs_delivery or scope.is_of_named_family
                then greatest(
                    first_cover.first_no,
                    coalesce(scope.family_first_no, first_cover.first_no),
                    coalesce(scope.other_family_first_no, first_cover.first_no)
                )
            else greatest(first_cover.first_no, least(scope.family_first_no, scope.first_no))
        end as covered_from,
        {%- for column, open_end, silent_until in [
            ('covered_to', 'last_cover.last_no', 'least(last_cover.last_no, scope.as_of_no)'),
            ('followed_to', 'scope.as_of_no', 'scope.as_of_no - ' ~ days_of_late_rows),
        ] %}
        least(
            {%- for family in families %}
            case
                when
                    scope.{{ family }}_last_no is not null
                    and round(power(scope.{{ family }}_quiet_share, greatest({{ silent_until }} - scope.{{ family }}_last_no, 0)), 6) <= {{ least_chance }}
                    then scope.{{ family }}_last_no
                else {{ open_end }}
            end{{ ',' if not loop.last }}
            {%- endfor %}
        ) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from scope_of_family as scope
    left join pattern as own_pattern on scope.calendar = own_pattern.calendar and scope.product = own_pattern.product
    inner join pattern as any_pattern on scope.calendar = any_pattern.calendar and any_pattern.product = 'any'
    inner join {{ ref('int_period') }} as first_cover
        on first_cover.grain_no = greatest(scope.finest_grain_no, 3) and scope.first_no between first_cover.first_no and first_cover.last_no
    inner join {{ ref('int_period') }} as last_cover
        on last_cover.grain_no = greatest(scope.finest_grain_no, 3) and scope.last_no between last_cover.first_no and last_cover.last_no
),

spanned as (
    select
        covered_scope.*,
        period.grain_no,
        period.grain,
        period.part,
        period.period_id,
        period.period_start,
        period.period_end,
        period.first_no as period_first_no,
        period.ends_no,
        period.season_no,
        period.year_no,
        period.yoy_period_id,
        period.pop_period_id,
        case
            when period.last_no < covered_scope.covered_from then period.first_no
            else greatest(period.first_no, covered_scope.covered_from)
        end as open_no,
        least(period.last_no, greatest(covered_scope.covered_to, covered_scope.last_no), covered_scope.as_of_no) as close_no,
        period.ends_no <= covered_scope.covered_to and period.first_no >= covered_scope.covered_from as is_covered,
        covered_scope.maturity_days = 0 or period.ends_no + covered_scope.maturity_days <= covered_scope.followed_to as is_matured
    from covered_scope
    inner join {{ ref('int_period') }} as period
        on covered_scope.first_no <= period.last_no and covered_scope.last_no >= period.opens_no
    where
        (
            period.grain_no <= 5
            and period.grain_no >= covered_scope.finest_grain_no
            and (period.grain_no >= 3 or covered_scope.finest_grain_no > 1 or period.last_no > covered_scope.as_of_no - {{ days_kept_by_day }})
        )
        or (period.grain_no = 6 and covered_scope.finest_grain_no <= 3)
        or (period.grain_no >= 7 and covered_scope.is_known_by_day and covered_scope.calendar = 'china' and covered_scope.time_rule <> 'last')
),

measured as (
    select
        spanned.*,
        cast(close_day.day_no - before_open.day_no as integer)
        - case when spanned.grain_no = 8 then close_day.festival_days_so_far - before_open.festival_days_so_far else 0 end as days,
        cast(close_day.weight_so_far - before_open.weight_so_far as decimal(18, 3)) as weight,
        close_day.festival_days_so_far - before_open.festival_days_so_far as festival_days,
        close_day.day_class,
        cast(
            floor((spanned.close_no + {{ sunday_no }}) / 7.0) - floor((spanned.open_no - 1 + {{ sunday_no }}) / 7.0) as integer
        ) as week_ends
    from spanned
    inner join {{ ref('int_period_day') }} as close_day
        on spanned.pattern_key + spanned.close_no = close_day.day_key
    inner join {{ ref('int_period_day') }} as before_open
        on spanned.pattern_key + spanned.open_no - 1 = before_open.day_key
),

{#- What is reported for weeks, at their ends, is exposed for as many weeks as end in the period: months have four of them or five. #}
exposed as (
    select
        measured.*,
        case when is_of_weeks then greatest(7 * week_ends, 1) else days end as days_exposed,
        case when is_of_weeks then cast(greatest(7 * week_ends, 1) as decimal(18, 3)) else weight end as weight_exposed
    from measured
),

placed as (
    select
        exposed.*,
        is_covered and ends_no <= as_of_no and is_matured as is_complete,
        {{ figure_key('scope_id', 'period_id') }} as period_key
    from exposed
)

select
    placed.scope_id,
    placed.kpi_id,
    placed.root_code,
    placed.time_rule,
    placed.grain_no,
    placed.grain,
    placed.part,
    placed.period_id,
    placed.period_key,
    placed.period_first_no as first_no,
    placed.ends_no,
    placed.period_start,
    placed.period_end,
    placed.is_covered,
    placed.is_complete,
    least(placed.ends_no, placed.as_of_no) as reached_no,
    placed.days_exposed as days,
    placed.weight_exposed as weight,
    placed.year_no,
    placed.season_no,
    case when placed.grain_no = 1 then placed.day_class else 0 end as day_class,
    placed.is_complete and placed.festival_days = 0 as is_history,
    placed.part = '' and (placed.grain_no >= 3 or (placed.finest_grain_no = 2 and not placed.is_known_by_day)) as has_slices
    {%- for comparison in comparisons %},
    {{ comparison }}.period_id as {{ comparison }}_period_id,
    {{ comparison }}.period_start as {{ comparison }}_period_start,
    {{ comparison }}.days_exposed as {{ comparison }}_days,
    {{ comparison }}.weight_exposed as {{ comparison }}_weight,
    coalesce(placed.is_matured and {{ comparison }}.is_matured, false) as {{ comparison }}_is_matured,
    coalesce(placed.is_complete and {{ comparison }}.is_complete, false) as {{ comparison }}_is_complete,
    coalesce(
        case
            when placed.grain_no <= 3 then placed.festival_days + {{ comparison }}.festival_days > 0
            when placed.grain_no <= 6
                then {{ comparison }}.festival_days <> placed.festival_days or ({{ comparison }}.festival_days > 0 and placed.festival_days < 26)
        end,
        false
    ) as {{ comparison }}_is_torn
    {%- endfor %}
from placed
{%- for comparison in comparisons %}
left join placed as {{ comparison }} on placed.scope_id = {{ comparison }}.scope_id and placed.{{ comparison }}_period_id = {{ comparison }}.period_id
{%- endfor %}
