{#-
  The cells of all figures that are fed by observations, whatever their family; a family takes its own by family_cells. Shares that
  are asked to be looked at for heaping show how many entries stand at exactly that percentage.
-#}
{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_observation']}) }}
with observation as (
    select *
    from {{ rows_counted('int_observation') }}
),

kpi_row as (
    select
        kpi_id,
        unit_code,
        day,
        category,
        numerator,
        denominator,
        excluded_reason,
        row_count as excluded
    from observation
),

{{ cells('kpi_row', ['category']) }},

square_cell as (
    select
        kpi_id,
        unit_code,
        day,
        'square:weight' as cell,
        cast(sum(squares) as bigint) as numerator,
        cast(sum(square_weights) as bigint) as denominator
    from observation
    where is_weighted and excluded_reason is null
    group by kpi_id, unit_code, day
),

heap_cell as (
    select
        kpi_id,
        unit_code,
        day,
        'heap:' || cast(heap_percent as {{ dbt.type_string() }}) as cell,
        cast(sum(case when numerator * 100 = denominator * heap_percent then row_count else 0 end) as bigint) as numerator,
        cast(sum(row_count) as bigint) as denominator
    from observation
    where heap_percent is not null and denominator > 0 and excluded_reason is null
    group by kpi_id, unit_code, day, heap_percent
)

select * from cell
union all
select * from square_cell
where denominator > 0
union all
select * from heap_cell
