{#- I1 per KPI: every current row of the entity that it counts is counted or excluded for one reason. -#}
with current_rows as (
    select
        source.entity,
        sum(balance.rows_current) as rows_current
    from {{ ref('pool_balance') }} as balance
    inner join {{ source('control', 'source') }} as source on balance.source_id = source.source_id
    group by source.entity
),

counted as (
    select
        catalogue.kpi_id,
        catalogue.balance_entity as entity,
        sum(case
            when catalogue.balance_side = 'numerator' and cells.cell = '' then cells.numerator
            when catalogue.balance_side = 'denominator' and cells.cell = '' then cells.denominator
            when catalogue.balance_side = 'event' and cells.cell like 'event:%' then cells.numerator
            else 0
        end) as rows_counted,
        sum(case when cells.cell like 'excluded:%' then cells.numerator else 0 end) as rows_excluded
    from {{ ref('kpi_catalogue') }} as catalogue
    left join {{ ref('fct_kpi_count') }} as cells
        on catalogue.kpi_id = cells.kpi_id and cells.cell not like 'bin:%' and cells.cell not like 'lag:%'
    where catalogue.balance_entity is not null
    group by catalogue.kpi_id, catalogue.balance_entity
)

select
    counted.kpi_id,
    counted.entity,
    cast(coalesce(current_rows.rows_current, 0) as bigint) as rows_current,
    cast(coalesce(counted.rows_counted, 0) as bigint) as rows_counted,
    cast(coalesce(counted.rows_excluded, 0) as bigint) as rows_excluded,
    coalesce(current_rows.rows_current, 0) = coalesce(counted.rows_counted, 0) + coalesce(counted.rows_excluded, 0) as is_balanced
from counted
left join current_rows on counted.entity = current_rows.entity
