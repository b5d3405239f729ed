{#- Cells of a kind that partitions a figure sum to the figure, for every KPI, unit and day that has that kind. -#}
{% test partitions_sum(model) %}
with cell_sum as (
    select
        kpi_id,
        unit_code,
        day,
        case when cell = '' then '' else split_part(cell, ':', 1) end as cell_kind,
        sum(numerator) as numerator,
        sum(denominator) as denominator
    from {{ model }}
    group by kpi_id, unit_code, day, case when cell = '' then '' else split_part(cell, ':', 1) end
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
inner join {{ ref('kpi_cell') }} as cell_kind
    on part.cell_kind = cell_kind.cell_kind and cell_kind.is_partition and cell_kind.code is null
left join cell_sum as figure
    on
        part.kpi_id = figure.kpi_id
        and part.unit_code = figure.unit_code
        and part.day = figure.day
        and figure.cell_kind = ''
where part.numerator <> coalesce(figure.numerator, 0) or part.denominator <> coalesce(figure.denominator, 0)
{% endtest %}
