{#- I1 per KPI: every current row of the entity, or of the part of it, that it counts is counted or excluded for one reason. -#}
with current_rows as (
    select
        source.entity,
        sum(balance.rows_current) as rows_current
    from {{ ref('pool_balance') }} as balance
    inner join {{ source('control', 'source') }} as source on balance.source_id = source.source_id
    group by source.entity
    union all
    select
        'matter:' || kind as entity,
        sum(row_count) as rows_current
    from {{ ref('stg_matter') }}
    group by kind
),

observed as (
    select
        measure.kpi_id,
        sum(observation.row_count) as rows_current
    from {{ ref('stg_observation') }} as observation
    inner join {{ ref('observation_measure') }} as measure on observation.measure = measure.measure
    group by measure.kpi_id
),

counted_observation as (
    select
        kpi_id,
        sum(row_count) as rows_counted
    from {{ ref('int_observation') }}
    where excluded_reason is null
    group by kpi_id
),

{#- Summed before it is known what of it counts: a few rows of a KPI take the place of all its days. #}
cells as (
    select
        kpi_id,
        cell,
        sum(numerator) as numerator,
        sum(denominator) as denominator
    from {{ ref('fct_kpi_count') }}
    where cell = '' or cell like 'feed:%' or cell like 'event:%' or cell like 'excluded:%'
    group by kpi_id, cell
),

counted as (
    select
        catalogue.kpi_id,
        catalogue.balance_entity as entity,
        catalogue.balance_side,
        sum(case
            when catalogue.balance_side = 'numerator' and cells.cell = '' then cells.numerator
            when catalogue.balance_side = 'denominator' and cells.cell = '' then cells.denominator
            when catalogue.balance_side = 'feed' and cells.cell = 'feed:' || catalogue.balance_entity then cells.numerator
            when catalogue.balance_side = 'event' and cells.cell like 'event:%' then cells.numerator
            else 0
        end) as rows_counted,
        sum(case when cells.cell like 'excluded:%' then cells.numerator else 0 end) as rows_excluded
    from {{ ref('kpi_catalogue') }} as catalogue
    left join cells on catalogue.kpi_id = cells.kpi_id
    where catalogue.balance_entity is not null
    group by catalogue.kpi_id, catalogue.balance_entity, catalogue.balance_side
),

balanced as (
    select
        counted.kpi_id,
        counted.entity,
        case when counted.balance_side = 'record' then observed.rows_current else current_rows.rows_current end as rows_current,
        case when counted.balance_side = 'record' then counted_observation.rows_counted else counted.rows_counted end as rows_counted,
        counted.rows_excluded
    from counted
    left join current_rows on counted.entity = current_rows.entity
    left join observed on counted.kpi_id = observed.kpi_id
    left join counted_observation on counted.kpi_id = counted_observation.kpi_id
)

select
    kpi_id,
    entity,
    cast(coalesce(rows_current, 0) as bigint) as rows_current,
    cast(coalesce(rows_counted, 0) as bigint) as rows_counted,
    cast(coalesce(rows_excluded, 0) as bigint) as rows_excluded,
    coalesce(rows_current, 0) = coalesce(rows_counted, 0) + coalesce(rows_excluded, 0) as is_balanced
from balanced
