{#-
  Of a build that starts from the last one: the years of each KPI and root in which a count differs or a period does (it began, was
  completed, ripened). Empty for a build that starts anew.
-#}
{%- if builds_on_last() -%}
with differing_month as (
    select distinct
        counted.kpi_id,
        dim_unit.root_code,
        counted.month_no
    from {{ differing_rows('int_kpi_count_month', ['kpi_id', 'unit_code', 'month_no', 'content']) }} as counted
    inner join {{ ref('dim_unit') }} as dim_unit on counted.unit_code = dim_unit.unit_code
),

{#- A week counts in the year of its Thursday. #}
year_of_month as (
    select distinct
        30000000 + differing_month.month_no as period_id,
        period.year_no
    from differing_month
    inner join {{ ref('int_period') }} as month_period on 30000000 + differing_month.month_no = month_period.period_id
    inner join {{ ref('int_period') }} as period on month_period.first_no <= period.last_no and month_period.last_no >= period.first_no
),

differing_period as (
    select
        kpi_id,
        root_code,
        year_no
    from {{ differing_rows('int_kpi_period', [
        'kpi_id', 'root_code', 'year_no', 'period_key', 'time_rule', 'first_no', 'ends_no', 'period_start', 'period_end', 'is_complete', 'days', 'weight',
        'season_no', 'day_class', 'is_history', 'has_slices',
        'yoy_period_id', 'yoy_days', 'yoy_weight', 'yoy_is_matured', 'yoy_is_complete', 'yoy_is_torn',
        'pop_period_id', 'pop_days', 'pop_weight', 'pop_is_matured', 'pop_is_complete', 'pop_is_torn',
    ]) }} as period
)

select
    differing_month.kpi_id,
    differing_month.root_code,
    year_of_month.year_no
from differing_month
inner join year_of_month on 30000000 + differing_month.month_no = year_of_month.period_id
union
select
    kpi_id,
    root_code,
    year_no
from differing_period
{%- else -%}
select
    kpi_id,
    root_code,
    year_no
from {{ ref('int_kpi_period') }}
where false
{%- endif %}
{#- Read by both kinds of build, so that dbt knows the order. -#}
-- depends_on: {{ ref('int_kpi_count_month') }}
-- depends_on: {{ ref('int_kpi_period') }}
-- depends_on: {{ ref('int_period') }}
-- depends_on: {{ ref('dim_unit') }}
