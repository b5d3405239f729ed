{#- One number for a series and a period, and for a series and a stratum of its history: joins on one number are the fastest there are. -#}
{% macro figure_key(series_id, period_id) -%}
{{ series_id }} * cast(100000000 as bigint) + {{ period_id }}
{%- endmacro %}

{% macro spread_key(series_id, spread_no) -%}
{{ series_id }} * cast(1000000000 as bigint) + {{ spread_no }}
{%- endmacro %}

{#- How figures are compared: counts by their rates, shares by their difference, all else as far as it allows. -#}
{% macro method_no(method) -%}
{{ {'count': 1, 'share': 2, 'other': 3}[method] }}
{%- endmacro %}

{#- The series that counted rows (kpi_id, cell, unit_code, day) belong to, as `link`. -#}
{% macro join_link(counted) -%}
inner join {{ ref('int_kpi_link') }} as link
        on
            {{ counted }}.kpi_id = link.kpi_id
            and {{ counted }}.cell = link.cell
            and {{ counted }}.unit_code = link.leaf_code
            and {{ counted }}.day >= link.valid_from
            and {{ counted }}.day < link.valid_to
{%- endmacro %}

{#- Of the figures given, those of one method (count, share, other), each beside those of `priors` that it is compared with and the dispersion of its history. -#}
{% macro figures_beside(method, comparisons, figures, priors) %}
    select
        own.figure_key,
        own.series_id,
        own.period_key,
        own.numerator as own_numerator,
        own.denominator as own_denominator,
        own.squares as own_squares,
        {%- if method == 'other' %}
        own.square_weights as own_square_weights,
        {%- endif %}
        {%- if method == 'share' %}
        series.least_cases,
        {%- endif %}
        {%- if method == 'count' %}
        series.is_count,
        series.has_entity_days,
        series.is_recorded,
        not series.is_recorded or spread.spread_key is not null as is_measured,
        {%- endif %}
        series.kind,
        series.time_rule,
        series.value_scale,
        cast(period.days as double) as own_days,
        cast(period.weight as double) as own_weight,
        broken.figure_key is not null as is_broken
        {%- for side in comparisons %},
        {{ side }}.numerator as {{ side }}_numerator,
        {{ side }}.denominator as {{ side }}_denominator,
        {{ side }}.squares as {{ side }}_squares,
        {%- if method == 'other' %}
        {{ side }}.square_weights as {{ side }}_square_weights,
        {%- endif %}
        cast(period.{{ side }}_days as double) as {{ side }}_days,
        cast(period.{{ side }}_weight as double) as {{ side }}_weight,
        period.{{ side }}_is_matured as {{ side }}_is_comparable,
        period.{{ side }}_is_complete and not period.{{ side }}_is_torn and not coalesce(broken.{{ side }}_is_broken, false) as {{ side }}_is_judged
        {%- if method != 'other' %},
        coalesce(spread.{{ side }}_dispersion, 1e0) as {{ side }}_dispersion
        {%- endif %}
        {%- endfor %}
    from {{ figures }} as own
    inner join {{ ref('int_kpi_series') }} as series on own.series_id = series.series_id
    inner join {{ ref('int_kpi_period') }} as period on own.period_key = period.period_key
    left join broken on own.figure_key = broken.figure_key
    {%- for side in comparisons %}
    left join {{ priors }} as {{ side }}
        on
            {{ figure_key('own.series_id', 'period.' ~ side ~ '_period_id') }} = {{ side }}.figure_key
            and {{ side }}.method_no = {{ method_no(method) }}
    {%- endfor %}
    {%- if method != 'other' %}
    left join {{ ref('int_kpi_dispersion') }} as spread on {{ period_spread_key('own.series_id', 'period') }} = spread.spread_key
    {%- endif %}
    where own.method_no = {{ method_no(method) }}
{%- endmacro %}

{#- One number for the content of a group of rows, whatever their order. -#}
{% macro rows_content(columns) -%}
{{ return(adapter.dispatch('rows_content')(columns)) }}
{%- endmacro %}

{% macro default__rows_content(columns) -%}
sum(cast(xxhash64({{ columns | join(', ') }}) as decimal(38, 0)))
{%- endmacro %}

{% macro duckdb__rows_content(columns) -%}
sum(hash({{ columns | join(', ') }}))
{%- endmacro %}

{#- The same of whole rows of a relation. -#}
{% macro whole_rows_content(rows) -%}
{{ return(adapter.dispatch('whole_rows_content')(rows)) }}
{%- endmacro %}

{% macro default__whole_rows_content(rows) -%}
sum(cast(xxhash64({{ rows }}.*) as decimal(38, 0)))
{%- endmacro %}

{% macro duckdb__whole_rows_content(rows) -%}
sum(hash({{ rows }}))
{%- endmacro %}
