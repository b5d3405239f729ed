{#-
  Of a build that starts from the last one: the periods of which a sum may differ (is_counted: a month in them does, or the period itself: it
  began, was completed, ripened, is no more; of stocks also all of a touched series, for what one cell says of a day ends what others said
  before), and those that are compared with one. Empty for a build that starts anew.
-#}
{%- set columns = ['period_key', 'scope_id', 'kpi_id', 'grain_no', 'part', 'period_start', 'year_no', 'season_no', 'is_history'] -%}
{%- if builds_on_last() -%}
with period as (
    {%- for periods in [ref('int_kpi_period'), applied('int_kpi_period')] %}
    {% if not loop.first %}union all {% endif -%}
    select {{ columns | join(', ') }}, root_code, period_id, first_no, ends_no, yoy_period_id, pop_period_id
    from {{ periods }}
    {%- endfor %}
),

counted_period as (
    select period.period_key
    from {{ ref('int_kpi_touched_month') }} as touched
    inner join {{ ref('int_period') }} as month_period on 30000000 + touched.month_no = month_period.period_id
    inner join period
        on
            touched.kpi_id = period.kpi_id
            and touched.root_code = period.root_code
            and month_period.first_no <= period.ends_no
            and month_period.last_no >= period.first_no
    union
    select period_key
    from {{ differing_rows('int_kpi_period', [
        'period_key', 'is_complete', 'reached_no', 'days', 'weight', 'day_class', 'is_history', 'has_slices',
        'yoy_period_id', 'yoy_days', 'yoy_weight', 'yoy_is_matured', 'yoy_is_complete', 'yoy_is_torn',
        'pop_period_id', 'pop_days', 'pop_weight', 'pop_is_matured', 'pop_is_complete', 'pop_is_torn',
    ]) }} as differing
    union
    select period.period_key
    from {{ ref('int_kpi_series') }} as series
    inner join period on series.scope_id = period.scope_id
    where series.time_rule = 'last' and series.series_id in (select series_id from {{ ref('int_kpi_touched_series') }})
)

select distinct
    {%- for column in columns %}
    period.{{ column }},
    {%- endfor %}
    period.period_key in (select period_key from counted_period) as is_counted
from period
where
    period.period_key in (select period_key from counted_period)
    {%- for side in ['yoy', 'pop'] %}
    or {{ figure_key('period.scope_id', 'period.' ~ side ~ '_period_id') }} in (select period_key from counted_period)
    {%- endfor %}
{%- else -%}
select
    {{ columns | join(', ') }},
    false as is_counted
from {{ ref('int_kpi_period') }}
where false
{%- endif %}
{#- Read by both kinds of build, so that dbt knows the order. -#}
-- depends_on: {{ ref('int_kpi_touched_month') }}
-- depends_on: {{ ref('int_kpi_touched_series') }}
-- depends_on: {{ ref('int_kpi_series') }}
-- depends_on: {{ ref('int_period') }}
