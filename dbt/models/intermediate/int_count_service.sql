{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_service_row', 'int_service_item_cell', 'int_observation']}) }}
{#- Counts delivered by other systems come with the observations. -#}
with kpi_row as (
    select *
    from {{ rows_counted('int_service_row') }}
),

{{ cells('kpi_row', ['channel', 'timing', 'item']) }}

select * from cell
union all
select
    kpi_id,
    unit_code,
    day,
    'bin:' || cast(bin as {{ dbt.type_string() }}) as cell,
    cast(sum(numerator) as bigint) as numerator,
    cast(sum(denominator) as bigint) as denominator
from kpi_row
where bin is not null
group by kpi_id, unit_code, day, bin
union all
{{ family_cells('service', ['int_service_item_cell', 'int_observation_cell']) }}
