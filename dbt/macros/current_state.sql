{#-
  The rows of an entity that are true as of the night processed, each with the group of its source.

  Without a key every row is a fact of its own. With a key the latest state counts, ordered by declared version, batch date,
  file name and row, never by arrival; a state that says "deleted" leaves nothing. A full extract replaces the one before:
  of such a source only the latest batch is read, so a key absent from it is gone.
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
