with balance as (
    select
        source_id,
        sum(rows_current) as rows_current,
        sum(rows_superseded) as rows_superseded,
        sum(rows_deleted) as rows_deleted
    from {{ ref('pool_balance') }}
    group by source_id
),

batch as (
    select
        batch.source_id,
        count(*) as batches,
        min(batch.batch_date) as first_batch_date,
        max(batch.batch_date) as last_batch_date,
        sum(batch.rows_accepted) as rows_accepted,
        sum(case when batch.batch_date > {{ add_days('night.as_of', -30) }} then batch.rows_accepted else 0 end) as rows_accepted_30_days,
        sum(batch.pool_rows) as pool_rows,
        sum(batch.pool_bytes) as pool_bytes
    from {{ source('control', 'batch') }} as batch
    cross join {{ source('control', 'night') }} as night
    where batch.batch_date <= night.as_of
    group by batch.source_id
)

select
    source.source_id,
    source.title_zh,
    source.title_en,
    source.group_name,
    source.domain,
    source.entity,
    source.owner,
    source.cadence,
    source.grade,
    source.extract_mode,
    source.contract_version,
    source.systems,
    cast(coalesce(batch.batches, 0) as bigint) as batches,
    batch.first_batch_date,
    batch.last_batch_date,
    cast({{ days_between('batch.last_batch_date', 'night.as_of') }} as bigint) as age_days,
    case when {{ fresh_within_days('source.cadence') }} is not null
        then coalesce({{ days_between('batch.last_batch_date', 'night.as_of') }} <= {{ fresh_within_days('source.cadence') }}, false)
    end as is_fresh,
    cast(coalesce(batch.rows_accepted, 0) as bigint) as rows_accepted,
    cast(coalesce(batch.rows_accepted_30_days, 0) as bigint) as rows_accepted_30_days,
    cast(coalesce(batch.pool_rows, 0) as bigint) as pool_rows,
    cast(coalesce(balance.rows_current, 0) as bigint) as rows_current,
    cast(coalesce(balance.rows_superseded, 0) as bigint) as rows_superseded,
    cast(coalesce(balance.rows_deleted, 0) as bigint) as rows_deleted,
    cast(coalesce(batch.pool_bytes, 0) as bigint) as pool_bytes
from {{ source('control', 'source') }} as source
cross join {{ source('control', 'night') }} as night
left join batch on source.source_id = batch.source_id
left join balance on source.source_id = balance.source_id
