{#-
  How far the history of a series strays from its own strata, for each comparison, where it does: no row is a dispersion of 1. Of what
  machines record, whose dispersion nobody assumes, there is a row wherever it was measured, be it 1; no row says that it was not.
  The seasons of both compared periods are left out, unless too little would be left. Quarters go by their months; years and years to
  date by the months of other years (a dispersion survives adding up periods).
  What a year is measured by is its own history and that of the two years before: what comes later changes no verdict on it.
-#}
{{ config(materialized='redone_rows' if target.type == 'duckdb' else 'table') }}
{% set redoes_rows = builds_on_last() -%}
{% set sums -%}
        cast(sum(chi_square) as decimal(38, 6)) as chi_square,
        cast(sum(freedom) as integer) as freedom
{%- endset -%}
with season_spread as (
    select *
    from {{ ref('int_kpi_stratum') }}
    {%- if redoes_rows %}
    where
        (scope_id, grain_no) in (select scope_id, grain_no from {{ ref('int_kpi_touched_period') }} where {{ is_touched_history() }})
        or series_id in (select series_id from {{ ref('int_kpi_touched_series') }})
    {%- endif %}
),

year_spread as (
    select
        series_id,
        scope_id,
        grain_no,
        year_no,
        {{ sums }}
    from season_spread
    group by series_id, scope_id, grain_no, year_no
),

three_years as (
    select
        year_spread.series_id,
        year_spread.scope_id,
        year_spread.grain_no,
        cast(year_spread.year_no + later.years as integer) as year_no,
        {{ sums }}
    from year_spread
    cross join (select {{ each_number(0, 2) }} as years) as later
    group by year_spread.series_id, year_spread.scope_id, year_spread.grain_no, year_spread.year_no + later.years
),

part as (
    select
        three_years.*,
        cast(three_years.year_no * 4 + season.season_in_year as integer) as part_no,
        4 as parts_in_year
    from three_years
    cross join (select {{ each_number(1, 4) }} as season_in_year) as season
    union all
    select
        three_years.*,
        year_no as part_no,
        1 as parts_in_year
    from three_years
    where grain_no = 3
),

spread as (
    select
        {{ spread_key('series_id', 'grain_no * 100000000 + season_no') }} as spread_key,
        chi_square,
        freedom
    from season_spread
    union all
    select
        {{ spread_key('series_id', 'grain_no * 100000000 + year_no') }} as spread_key,
        chi_square,
        freedom
    from year_spread
    where grain_no = 3
),

keyed_part as (
    select
        part.*,
        {{ spread_key('series_id', 'grain_no * 100000000 + part_no') }} as spread_key
    from part
),

dispersed as (
    select
        part.spread_key,
        part.series_id,
        part.scope_id,
        part.grain_no,
        part.year_no,
        part.part_no,
        series.is_recorded and part.freedom >= {{ least_degrees_of_freedom() }} as is_measured
        {%- for side, prior in [('yoy', 'year_earlier'), ('pop', 'before')] %},
        {{ dispersion(
            'cast(part.chi_square - coalesce(own.chi_square, 0) - coalesce(' ~ prior ~ '.chi_square, 0) as double)',
            '(part.freedom - coalesce(own.freedom, 0) - coalesce(' ~ prior ~ '.freedom, 0))',
            'cast(part.chi_square as double)',
            'part.freedom') }} as {{ side }}_dispersion
        {%- endfor %}
    from keyed_part as part
    inner join {{ ref('int_kpi_series') }} as series on part.series_id = series.series_id
    left join spread as own on part.spread_key = own.spread_key
    left join spread as year_earlier on part.spread_key - part.parts_in_year = year_earlier.spread_key
    left join spread as before on part.spread_key - 1 = before.spread_key
)

select
    spread_key,
    series_id,
    scope_id,
    grain_no,
    year_no,
    part_no,
    yoy_dispersion,
    pop_dispersion
from dispersed
where
    (yoy_dispersion > 1 or pop_dispersion > 1 or is_measured)
    {%- if redoes_rows %}
    and ({{ redone_where('int_kpi_dispersion') }})
    {%- endif %}
-- depends_on: {{ ref('int_kpi_touched_series') }}
-- depends_on: {{ ref('int_kpi_touched_period') }}
