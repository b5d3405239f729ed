{#-
  I1 per source and batch of the entities that the models know: what ingest accepted is in the pool, and every row there is current,
  superseded by a later state of its key (or, without a key, by a later full extract), or deleted. Which state of a key is the latest is said
  once more, apart from current_state, so that the balance is a check and not an echo; only keys with several rows are put in order for it.
-#}
{% set entities = [
    'unit', 'region', 'incident', 'case', 'case_event', 'mediation', 'callback', 'casualty', 'reported_figure', 'observation', 'matter',
    'fraud_case', 'fraud_payment', 'fraud_warning', 'service_item', 'service_request', 'service_visit',
    'register_entry', 'responsibility', 'device_day', 'gate_hour', 'accident'
] -%}
with night as (
    select as_of from {{ source('control', 'night') }}
),

batch as (
    select
        batch.source_id,
        batch.batch_date,
        batch.rows_accepted
    from {{ source('control', 'batch') }} as batch
    inner join {{ source('control', 'source') }} as source
        on batch.source_id = source.source_id and source.entity in ('{{ entities | join("', '") }}')
    cross join night
    where batch.batch_date <= night.as_of
),

source_extract as (
    select
        source.source_id,
        source.entity,
        source.extract_mode,
        night.as_of,
        max(batch.batch_date) as last_batch_date
    from {{ source('control', 'source') }} as source
    cross join night
    left join batch on source.source_id = batch.source_id
    group by source.source_id, source.entity, source.extract_mode, night.as_of
),

pool_row as (
    {%- for entity in entities %}
    {% if not loop.first %}union all {% endif -%}
    select
        pool_row.source_id,
        pool_row.record_key,
        pool_row.batch_date,
        pool_row.record_version,
        pool_row.file_name,
        pool_row.row_number,
        coalesce(pool_row.is_deleted, false) as is_deleted,
        source.extract_mode <> 'full' or pool_row.batch_date = source.last_batch_date as is_in_extract,
        pool_row.row_count
    from {{ source('pool', entity) }} as pool_row
    inner join source_extract as source on pool_row.source_id = source.source_id and source.entity = '{{ entity }}'
    where pool_row.batch_date <= source.as_of
    {%- endfor %}
),

key_with_several_rows as (
    select
        source_id,
        record_key
    from pool_row
    where record_key is not null
    group by source_id, record_key
    having count(*) > 1
),

ranked_row as (
    select
        pool_row.source_id,
        pool_row.record_key,
        pool_row.batch_date,
        pool_row.is_deleted,
        pool_row.is_in_extract,
        pool_row.row_count,
        row_number() over (
            partition by pool_row.source_id, pool_row.record_key
            order by
                case when pool_row.is_in_extract then 0 else 1 end,
                pool_row.record_version desc nulls last,
                pool_row.batch_date desc,
                pool_row.file_name desc,
                pool_row.row_number desc
        ) as state_rank
    from pool_row
    inner join key_with_several_rows as several on pool_row.source_id = several.source_id and pool_row.record_key = several.record_key
    union all
    select
        pool_row.source_id,
        pool_row.record_key,
        pool_row.batch_date,
        pool_row.is_deleted,
        pool_row.is_in_extract,
        pool_row.row_count,
        1 as state_rank
    from pool_row
    left join key_with_several_rows as several on pool_row.source_id = several.source_id and pool_row.record_key = several.record_key
    where several.source_id is null
),

judged_row as (
    select
        source_id,
        batch_date,
        row_count,
        case
            when state_rank > 1 or (record_key is null and not is_in_extract) then 'superseded'
            when is_deleted or not is_in_extract then 'deleted'
            else 'current'
        end as row_state
    from ranked_row
),

judged as (
    select
        source_id,
        batch_date,
        sum(row_count) as rows_in_pool,
        sum(case when row_state = 'current' then row_count else 0 end) as rows_current,
        sum(case when row_state = 'superseded' then row_count else 0 end) as rows_superseded,
        sum(case when row_state = 'deleted' then row_count else 0 end) as rows_deleted
    from judged_row
    group by source_id, batch_date
),

staged as (
    {%- for entity in entities %}
    {% if not loop.first %}union all {% endif -%}
    select
        source_id,
        batch_date,
        sum(row_count) as rows_staged
    from {{ ref('stg_' ~ entity) }}
    group by source_id, batch_date
    {%- endfor %}
),

batch_key as (
    select source_id, batch_date from batch
    union
    select source_id, batch_date from judged
)

select
    batch_key.source_id,
    batch_key.batch_date,
    cast(coalesce(batch.rows_accepted, 0) as bigint) as rows_accepted,
    cast(coalesce(judged.rows_in_pool, 0) as bigint) as rows_in_pool,
    cast(coalesce(judged.rows_current, 0) as bigint) as rows_current,
    cast(coalesce(judged.rows_superseded, 0) as bigint) as rows_superseded,
    cast(coalesce(judged.rows_deleted, 0) as bigint) as rows_deleted,
    cast(coalesce(staged.rows_staged, 0) as bigint) as rows_staged,
    coalesce(batch.rows_accepted, 0) = coalesce(judged.rows_in_pool, 0)
    and coalesce(judged.rows_current, 0) = coalesce(staged.rows_staged, 0) as is_balanced
from batch_key
left join batch on batch_key.source_id = batch.source_id and batch_key.batch_date = batch.batch_date
left join judged on batch_key.source_id = judged.source_id and batch_key.batch_date = judged.batch_date
left join staged on batch_key.source_id = staged.source_id and batch_key.batch_date = staged.batch_date
