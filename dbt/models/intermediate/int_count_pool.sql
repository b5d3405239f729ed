{#- What the pool holds, in the units of the groups of its sources: their 本级. -#}
with batch_of_source as (
    select
        group_root.root_code || '.self' as unit_code,
        batch.source_id,
        batch.batch_date as day,
        batch.rows_accepted
    from {{ source('control', 'batch') }} as batch
    inner join {{ source('control', 'source') }} as source on batch.source_id = source.source_id
    inner join {{ ref('int_group_root') }} as group_root on source.group_name = group_root.group_name
    cross join {{ source('control', 'night') }} as night
    where batch.batch_date <= night.as_of
),

first_batch as (
    select
        unit_code,
        source_id,
        min(day) as day
    from batch_of_source
    group by unit_code, source_id
),

stock_day as (
    select
        unit_code,
        day
    from batch_of_source
    union
    select
        first_batch.unit_code,
        night.as_of as day
    from first_batch
    cross join {{ source('control', 'night') }} as night
),

source_age as (
    select
        group_root.root_code || '.self' as unit_code,
        night.as_of as day,
        source.source_id,
        {{ days_between('max(batch_of_source.day)', 'night.as_of') }} as age,
        {{ fresh_within_days('source.cadence') }} as fresh_within
    from {{ source('control', 'source') }} as source
    inner join {{ ref('int_group_root') }} as group_root on source.group_name = group_root.group_name
    cross join {{ source('control', 'night') }} as night
    left join batch_of_source on source.source_id = batch_of_source.source_id
    group by group_root.root_code, night.as_of, source.source_id, source.cadence
),

pool_cell as (
    select
        'POOL-1.kinds' as kpi_id,
        stock_day.unit_code,
        stock_day.day,
        '' as cell,
        1 as numerator,
        0 as denominator
    from stock_day
    inner join first_batch on stock_day.unit_code = first_batch.unit_code and stock_day.day >= first_batch.day
    union all
    select
        'POOL-1.rows' as kpi_id,
        unit_code,
        day,
        '' as cell,
        rows_accepted as numerator,
        0 as denominator
    from batch_of_source
    union all
    select
        'POOL-2' as kpi_id,
        unit_code,
        day,
        '' as cell,
        case when age <= fresh_within then 1 else 0 end as numerator,
        1 as denominator
    from source_age
    where fresh_within is not null
    union all
    select
        'POOL-2' as kpi_id,
        unit_code,
        day,
        'age:' || coalesce(cast(age as {{ dbt.type_string() }}), 'never') as cell,
        case when age <= fresh_within then 1 else 0 end as numerator,
        1 as denominator
    from source_age
    where fresh_within is not null
    union all
    select
        'POOL-3' as kpi_id,
        group_root.root_code || '.self' as unit_code,
        receipt.batch_date as day,
        '' as cell,
        receipt.rows_quarantined as numerator,
        receipt.rows_read as denominator
    from {{ source('control', 'receipt') }} as receipt
    inner join {{ source('control', 'source') }} as source on receipt.source_id = source.source_id
    inner join {{ ref('int_group_root') }} as group_root on source.group_name = group_root.group_name
    cross join {{ source('control', 'night') }} as night
    where receipt.batch_date <= night.as_of
)

{{ summed_cells('pool_cell') }}
