{#-
  How many rows of an entity, by source and batch, are current, superseded by a later state of their key (or, without a key, by
  a later full extract), or deleted. Said once more, apart from current_state, so that the balance is a check and not an echo.
  Reads source_extract (source_id, entity, extract_mode, as_of, last_batch_date) of the query that it stands in.
-#}
{% macro row_state_counts(entity) -%}
    {%- set is_in_extract = "(source.extract_mode <> 'full' or pool_row.batch_date = source.last_batch_date)" %}
    select
        pool_row.source_id,
        pool_row.batch_date,
        case
            when not {{ is_in_extract }} then 'superseded'
            when coalesce(pool_row.is_deleted, false) then 'deleted'
            else 'current'
        end as row_state,
        sum(pool_row.row_count) as row_count
    from {{ source('pool', entity) }} as pool_row
    inner join source_extract as source on pool_row.source_id = source.source_id and source.entity = '{{ entity }}'
    where pool_row.record_key is null and pool_row.batch_date <= source.as_of
    group by 1, 2, 3
    union all
    select
        source_id,
        batch_date,
        case
            when state_rank > 1 then 'superseded'
            when is_deleted or not is_in_extract then 'deleted'
            else 'current'
        end as row_state,
        sum(row_count) as row_count
    from (
        select
            pool_row.source_id,
            pool_row.batch_date,
            coalesce(pool_row.is_deleted, false) as is_deleted,
            {{ is_in_extract }} as is_in_extract,
            row_number() over (
                partition by pool_row.source_id, pool_row.record_key
                order by
                    case when source.extract_mode = 'full' and pool_row.batch_date = source.last_batch_date then 0 else 1 end,
                    pool_row.record_version desc nulls last,
                    pool_row.batch_date desc,
                    pool_row.file_name desc,
                    pool_row.row_number desc
            ) as state_rank,
            pool_row.row_count
        from {{ source('pool', entity) }} as pool_row
        inner join source_extract as source on pool_row.source_id = source.source_id and source.entity = '{{ entity }}'
        where pool_row.record_key is not null and pool_row.batch_date <= source.as_of
    ) as keyed
    group by 1, 2, 3
{%- endmacro %}
