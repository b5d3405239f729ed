{#- I1 per source and batch of the entities that the models know: what ingest accepted is in the pool, and every row there is current, superseded or deleted. -#}
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

judged_row as (
    {%- for entity in entities %}
    {% if not loop.first %}union all{% endif %}
    {{ row_state_counts(entity) }}
    {%- endfor %}
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
