{#-
  The rows of an entity that are true as of the night processed, each with the group of its source.

  Without a key every row is a fact of its own. With a key the latest state counts, ordered by declared version, batch date,
  file name and row, never by arrival; a state that says "deleted" leaves nothing. A full extract replaces the one before:
  of such a source only the latest batch is read, so a key absent from it is gone.

  Of a kept table (with the entity in its meta) a build that starts from the last one reads sources that changed whole. Of the others it reads the new batches alone, and sets them against
  what can have been the latest state of their keys before: the row that the table holds, or, where it holds none, one that said "deleted".
-#}
{% macro current_state(entity) -%}
with night as (
    select as_of from {{ source('control', 'night') }}
),

latest_full_batch as (
    select
        batch.source_id,
        max(batch.batch_date) as batch_date
    from {{ source('control', 'batch') }} as batch
    inner join {{ source('control', 'source') }} as source on batch.source_id = source.source_id
    cross join night
    where source.extract_mode = 'full' and batch.batch_date <= night.as_of
    group by batch.source_id
),

delivered as (
    {%- if config.get('meta', {}).entity and builds_on_last() %}
    {%- set touched = touched_of(entity) %}
    {%- if touched.sources | length > 1 %}
    {{- delivered_states(entity, 'pool_row.source_id in (' ~ touched.sources | join(', ') ~ ')') }}
    union all
    {%- endif %}
    {{- delivered_states(entity, in_new_batch('pool_row', touched)) }}
    union all
    {{- delivered_states(entity, is_deleted_earlier(entity, touched)) }}
    union all by name
    select * exclude (state_rank)
    from {{ this }}
    where
        source_id not in ({{ touched.sources | join(', ') }})
        and (source_id, record_key) in (
            {{ touched_keys(entity, touched) }}
        )
    {%- else %}
    {{- delivered_states(entity, none) }}
    {%- endif %}
),

keyed as (
    select
        delivered.*,
        row_number() over (
            partition by source_id, record_key
            order by record_version desc nulls last, batch_date desc, file_name desc, row_number desc
        ) as state_rank
    from delivered
    where record_key is not null
),

current_rows as (
    select
        delivered.*,
        1 as state_rank
    from delivered
    where record_key is null and not coalesce(is_deleted, false)
    union all
    select keyed.*
    from keyed
    where state_rank = 1 and not coalesce(is_deleted, false)
)
{%- endmacro %}

{% macro delivered_states(entity, condition) %}
    select
        pool_row.*,
        source.group_name
    from {{ source('pool', entity) }} as pool_row
    inner join {{ source('control', 'source') }} as source
        on pool_row.source_id = source.source_id and source.entity = '{{ entity }}'
    left join latest_full_batch on pool_row.source_id = latest_full_batch.source_id
    cross join night
    where
        pool_row.batch_date <= night.as_of
        and (source.extract_mode <> 'full' or pool_row.batch_date = latest_full_batch.batch_date)
        {%- if condition %}
        and {{ condition }}
        {%- endif %}
{%- endmacro %}

{% macro is_deleted_earlier(entity, touched) -%}
pool_row.is_deleted
        and pool_row.source_id not in ({{ touched.sources | join(', ') }})
        and not ({{ in_new_batch('pool_row', touched) }})
        and (pool_row.source_id, pool_row.record_key) in (
            {{ touched_keys(entity, touched) }}
        )
{%- endmacro %}

{#-
  The rows of an entity that were there and are deleted as of the night, each with the group of its source: the last state of the key says
  so, or the latest full extract no longer has the key.
-#}
{% macro deleted_state(entity) -%}
with night as (
    select as_of from {{ source('control', 'night') }}
),

latest_full_batch as (
    select
        batch.source_id,
        max(batch.batch_date) as batch_date
    from {{ source('control', 'batch') }} as batch
    inner join {{ source('control', 'source') }} as source on batch.source_id = source.source_id
    cross join night
    where source.extract_mode = 'full' and batch.batch_date <= night.as_of
    group by batch.source_id
),

{#- Where there are no full extracts, nothing else can be deleted. #}
said_deleted as (
    select distinct
        source_id,
        record_key
    from {{ source('pool', entity) }}
    where is_deleted
),

ranked_state as (
    select
        pool_row.*,
        source.group_name,
        coalesce(pool_row.batch_date < latest_full_batch.batch_date, false) as is_gone,
        case
            when pool_row.record_key is null then 1
            else row_number() over (
                partition by pool_row.source_id, pool_row.record_key
                order by
                    case when pool_row.batch_date < latest_full_batch.batch_date then 1 else 0 end,
                    pool_row.record_version desc nulls last,
                    pool_row.batch_date desc,
                    pool_row.file_name desc,
                    pool_row.row_number desc
            )
        end as state_rank
    from {{ source('pool', entity) }} as pool_row
    inner join {{ source('control', 'source') }} as source
        on pool_row.source_id = source.source_id and source.entity = '{{ entity }}'
    left join latest_full_batch on pool_row.source_id = latest_full_batch.source_id
    left join said_deleted on pool_row.source_id = said_deleted.source_id and pool_row.record_key = said_deleted.record_key
    cross join night
    where
        pool_row.batch_date <= night.as_of
        and (pool_row.record_key is null or latest_full_batch.batch_date is not null or said_deleted.record_key is not null)
),

deleted_rows as (
    select *
    from ranked_state
    where
        state_rank = 1
        and (is_gone and record_key is not null or not is_gone and coalesce(is_deleted, false))
)
{%- endmacro %}
