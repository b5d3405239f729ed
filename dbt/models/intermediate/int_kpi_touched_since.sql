{#-
  Of a build that starts from the last one: from which day on the published rows of each KPI (months and longer) may differ, by slice or (null)
  all of them: the first period that is computed again, or of a unit that is called otherwise. Empty for a build that starts anew.
-#}
{%- if builds_on_last() -%}
{%- set period_tables = [ref('int_kpi_period'), applied('int_kpi_period')] -%}
{%- set series_tables = [ref('int_kpi_series'), applied('int_kpi_series')] -%}
with period as (
    {%- for periods in period_tables %}
    {% if not loop.first %}union {% endif -%}
    select scope_id, kpi_id, grain_no, season_no, part, period_start
    from {{ periods }}
    where grain_no >= 3
    {%- endfor %}
),

touched_series as (
    {%- for series in series_tables %}
    {% if not loop.first %}union {% endif -%}
    select scope_id, slice
    from {{ series }}
    where series_id in (select series_id from {{ ref('int_kpi_touched_series') }})
    {%- endfor %}
    union
    select scope_id, slice
    from {{ differing_rows('int_kpi_series', ['scope_id', 'slice', 'unit_code', 'unit_name', 'unit_level']) }} as series
),

touched_period as (
    select
        kpi_id,
        cast(null as {{ dbt.type_string() }}) as slice,
        period_start
    from {{ ref('int_kpi_touched_period') }}
    where grain_no >= 3
    union all
    select
        period.kpi_id,
        case when period.part = '' then touched.slice else period.part end as slice,
        period.period_start
    from touched_series as touched
    inner join period on touched.scope_id = period.scope_id
    union all
    select
        period.kpi_id,
        case when period.part = '' then series.slice else period.part end as slice,
        period.period_start
    from {{ ref('int_kpi_touched_spread') }} as touched
    inner join {{ ref('int_kpi_series') }} as series on touched.series_id = series.series_id
    inner join period
        on touched.scope_id = period.scope_id and touched.grain_no = least(period.grain_no, 3) and touched.part_no = period.season_no
)

select
    kpi_id,
    slice,
    min(period_start) as since
from touched_period
group by kpi_id, slice
{%- else -%}
select
    kpi_id,
    cast(null as {{ dbt.type_string() }}) as slice,
    period_start as since
from {{ ref('int_kpi_period') }}
where false
{%- endif %}
-- depends_on: {{ ref('int_kpi_period') }}
-- depends_on: {{ ref('int_kpi_series') }}
-- depends_on: {{ ref('int_kpi_touched_series') }}
-- depends_on: {{ ref('int_kpi_touched_spread') }}
-- depends_on: {{ ref('int_kpi_touched_period') }}
