{#- Cells of a kind that partitions a figure sum to the figure, for every KPI, unit and day that has that kind. -#}
{% test partitions_sum(model) %}
{{- waits_for('int_kpi_count_month') }}
with partition_kind as (
    select cell_kind
    from {{ ref('kpi_cell') }}
    where is_partition and code is null
    union all
    select '' as cell_kind
),

{#- A single code may be declared to be no part of the whole, although its kind is (other figures use it so). -#}
lone_cell as (
    select cell_kind || ':' || code as cell
    from {{ ref('kpi_cell') }}
    where not is_partition and code is not null
),

cell_sum as (
    select
        counted.kpi_id,
        counted.unit_code,
        counted.day,
        partition_kind.cell_kind,
        sum(counted.numerator) as numerator,
        sum(counted.denominator) as denominator
    from {{ rows_tested(model) }} as counted
    inner join partition_kind on split_part(counted.cell, ':', 1) = partition_kind.cell_kind
    left join lone_cell on counted.cell = lone_cell.cell
    where lone_cell.cell is null
    group by counted.kpi_id, counted.unit_code, counted.day, partition_kind.cell_kind
)

select
    part.kpi_id,
    part.unit_code,
    part.day,
    part.cell_kind,
    coalesce(figure.numerator, 0) as figure_numerator,
    part.numerator as sum_of_numerators,
    coalesce(figure.denominator, 0) as figure_denominator,
    part.denominator as sum_of_denominators
from cell_sum as part
left join cell_sum as figure
    on
        part.kpi_id = figure.kpi_id
        and part.unit_code = figure.unit_code
        and part.day = figure.day
        and figure.cell_kind = ''
where
    part.cell_kind <> ''
    and (part.numerator <> coalesce(figure.numerator, 0) or part.denominator <> coalesce(figure.denominator, 0))
{% endtest %}
