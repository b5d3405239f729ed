{#-
  The cells of count models: the figure itself (cell ''), one cell per value of each slice, and one cell per reason of exclusion.
  Every row of the input has at most one reason of exclusion. A slice that does not apply to a row is null there and gets no
  cell; a value that is not known is 'unknown'. All cells are summed in one statement, one grouping set each.
-#}
{% macro grouped_cell(slices) -%}
    case
        {%- for slice in slices %}
        when grouping({{ slice }}) = 0 then '{{ slice }}:' || {{ slice }}
        {%- endfor %}
        when grouping(excluded_reason) = 0 then 'excluded:' || excluded_reason
        else ''
    end
{%- endmacro %}

{% macro cell_grouping_sets(keys, slices) -%}
    group by grouping sets (
        ({{ keys | join(', ') }}),
        {%- for slice in slices %}
        ({{ keys | join(', ') }}, {{ slice }}),
        {%- endfor %}
        ({{ keys | join(', ') }}, excluded_reason)
    )
{%- endmacro %}

{#- For rows of several KPIs: kpi_id, unit_code, day, numerator, denominator, excluded_reason, excluded and the slices. -#}
{% macro cells(rows, slices=[], name='cell') -%}
{{ name }}_sum as (
    select
        kpi_id,
        unit_code,
        day,
        {{ grouped_cell(slices) }} as cell,
        case when grouping(excluded_reason) = 0 then sum(excluded) else sum(numerator) end as numerator,
        case when grouping(excluded_reason) = 0 then 0 else sum(denominator) end as denominator
    from {{ rows }}
    {{ cell_grouping_sets(['kpi_id', 'unit_code', 'day'], slices) }}
),

{{ name }} as (
    select
        kpi_id,
        unit_code,
        day,
        cell,
        cast(numerator as bigint) as numerator,
        cast(denominator as bigint) as denominator
    from {{ name }}_sum
    where cell is not null and (numerator <> 0 or denominator <> 0)
)
{%- endmacro %}

{#-
  For rows that several KPIs of a family share: unit_code, day, excluded_reason, the slices and the measures. Gives the table
  `tally` (unit_code, day, cell, is_excluded and the summed measures), from which each KPI takes the measures it is made of.
-#}
{% macro tally(rows, slices, measures) -%}
tally_sum as (
    select
        unit_code,
        day,
        {{ grouped_cell(slices) }} as cell,
        grouping(excluded_reason) = 0 as is_excluded
        {%- for measure in measures %},
        cast(sum({{ measure }}) as bigint) as {{ measure }}
        {%- endfor %}
    from {{ rows }}
    {{ cell_grouping_sets(['unit_code', 'day'], slices) }}
),

tally as (
    select *
    from tally_sum
    where cell is not null
)
{%- endmacro %}

{#- Cells of one KPI out of a tally; `from` and `where` follow. -#}
{% macro kpi_cell(kpi_id, numerator, denominator='0', cell='cell') -%}
select
        '{{ kpi_id }}' as kpi_id,
        unit_code,
        day,
        {{ cell }} as cell,
        cast({{ numerator }} as bigint) as numerator,
        cast({{ denominator }} as bigint) as denominator
    from tally
{%- endmacro %}

{#- The cells that models shared by several families hold of one family: those of the KPIs that the catalogue gives to it. -#}
{% macro family_cells(family, models) -%}
    {%- for model in models %}
    {% if not loop.first %}union all {% endif -%}
    select
        shared.kpi_id,
        shared.unit_code,
        shared.day,
        shared.cell,
        shared.numerator,
        shared.denominator
    from {{ cells_counted(model) }} as shared
    inner join {{ ref('kpi_catalogue') }} as catalogue on shared.kpi_id = catalogue.kpi_id
    where catalogue.product = '{{ family }}'
    {%- endfor %}
{%- endmacro %}

{#- Cells that several statements made, each summed to one row; `without_nothing` leaves out those of which nothing was counted. -#}
{% macro summed_cells(rows, without_nothing=false) -%}
select
    kpi_id,
    unit_code,
    day,
    cell,
    cast(sum(numerator) as bigint) as numerator,
    cast(sum(denominator) as bigint) as denominator
from {{ rows }}
group by kpi_id, unit_code, day, cell
{%- if without_nothing %}
having sum(numerator) <> 0 or sum(denominator) <> 0
{%- endif %}
{%- endmacro %}
