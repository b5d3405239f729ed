{#-
  How many rows of an entity, by source and batch, are current, superseded by a later state of their key (or, without a key, by
  a later full extract), or deleted. Said once more, apart from current_state, so that the balance is a check and not an echo.
  Reads source_extract (source_id, entity, extract_mode, as_of, last_batch_date) of the query that it stands in.
  Every row is judged as if it were the only one of its key; then those that a later row of their key supersedes are taken back, so that
  rows are put in order only where a key has several.
-#}
{% macro row_state_counts(entity) -%}
    {%- set is_in_extract = "(source.extract_mode <> 'full' or pool_row.batch_date = source.last_batch_date)" %}
    {%- set state_alone -%}
        case
            when pool_row.record_key is null and not {{ is_in_extract }} then 'superseded'
            when coalesce(pool_row.is_deleted, false) or not {{ is_in_extract }} then 'deleted'
            else 'current'
        end
    {%- endset %}
    select
        pool_row.source_id,
        pool_row.batch_date,
        {{ state_alone }} as row_state,
        sum(pool_row.row_count) as row_count
    from {{ source('pool', entity) }} as pool_row
    inner join source_extract as source on pool_row.source_id = source.source_id and source.entity = '{{ entity }}'
    where pool_row.batch_date <= source.as_of
    group by 1, 2, 3
    union all
    select
        ranked.source_id,
        ranked.batch_date,
        case when side.is_taken_back then ranked.state_alone else 'superseded' end as row_state,
        sum(case when side.is_taken_back then -ranked.row_count else ranked.row_count end) as row_count
    from (
        select
            pool_row.source_id,
            pool_row.batch_date,
            {{ state_alone }} as state_alone,
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
        where
            pool_row.batch_date <= source.as_of
            and (pool_row.source_id, pool_row.record_key) in (
                select
                    stated.source_id,
                    stated.record_key
                from {{ source('pool', entity) }} as stated
                where stated.record_key is not null
                group by stated.source_id, stated.record_key
                having count(*) > 1
            )
    ) as ranked
    cross join (select true as is_taken_back union all select false as is_taken_back) as side
    where ranked.state_rank > 1
    group by 1, 2, 3
{%- endmacro %}
