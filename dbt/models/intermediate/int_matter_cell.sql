{#- The cells of every figure that is counted from matters; a family takes its own by family_cells. -#}
{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_matter_row']}) }}
with kpi_row as (
    select *
    from {{ rows_counted('int_matter_row') }}
),

{{ cells('kpi_row', ['category', 'timing', 'finding']) }}

select * from cell
union all
select
    kpi_id,
    unit_code,
    day,
    'limit:' || granted_limit as cell,
    cast(sum(numerator) as bigint) as numerator,
    cast(sum(denominator) as bigint) as denominator
from kpi_row
where granted_limit is not null and excluded_reason is null
group by kpi_id, unit_code, day, granted_limit
union all
select
    kpi_id,
    unit_code,
    day,
    'bin:acknowledge:' || cast(seconds as {{ dbt.type_string() }}) as cell,
    cast(sum(seconds * denominator) as bigint) as numerator,
    cast(sum(denominator) as bigint) as denominator
from kpi_row
where seconds >= 0 and excluded_reason is null
group by kpi_id, unit_code, day, seconds
