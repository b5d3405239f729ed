{#-
  What the pool holds now and did not when the last complete build read it: whole sources (another entity, group or way of extraction, a batch
  that is gone or has other content, a full extract with a new batch) and, of all others, their new batches. The pool's inventory says so.
-#}
{% macro touched_batches_now() -%}
with differing_source as (
    select entity, source_id
    from {{ differing_relations(source('control', 'source'), applied('source'), ['entity', 'source_id', 'group_name', 'extract_mode']) }} as differing
),

restated_source as (
    select
        source.entity,
        source.source_id
    from {{ applied('batch') }} as earlier
    inner join {{ applied('source') }} as source on earlier.source_id = source.source_id
    left join {{ source('control', 'batch') }} as now on earlier.source_id = now.source_id and earlier.batch_date = now.batch_date
    where now.source_id is null or now.content_hash is distinct from earlier.content_hash
),

new_batch as (
    select
        source.entity,
        source.source_id,
        source.extract_mode,
        now.batch_date
    from {{ source('control', 'batch') }} as now
    inner join {{ source('control', 'source') }} as source on now.source_id = source.source_id
    left join {{ applied('batch') }} as earlier on now.source_id = earlier.source_id and now.batch_date = earlier.batch_date
    where earlier.source_id is null
),

whole_source as (
    select entity, source_id from differing_source
    union
    select entity, source_id from restated_source
    union
    select entity, source_id from new_batch where extract_mode = 'full'
)

select
    entity,
    source_id,
    cast(null as date) as batch_date
from whole_source
union all
select
    new_batch.entity,
    new_batch.source_id,
    new_batch.batch_date
from new_batch
where new_batch.source_id not in (select source_id from whole_source)
{%- endmacro %}

{#- Of an entity, for a build that starts from the last one: the sources to read whole, and the batches to read of others, as literals. -#}
{% macro touched_of(entity) -%}
{%- set found = {'sources': ["''"], 'batch_sources': ["''"], 'batches': ["('', cast(null as date))"], 'dates': ['cast(null as date)'], 'is_empty': true} -%}
{%- for source_id, batch_date in run_query("select source_id, batch_date from " ~ applied('touched_batch') ~ " where entity = '" ~ entity ~ "' order by all").rows -%}
  {%- do found.update({'is_empty': false}) -%}
  {%- set source_text = "'" ~ (source_id | replace("'", "''")) ~ "'" -%}
  {%- if batch_date is none -%}
    {%- do found.sources.append(source_text) -%}
  {%- else -%}
    {%- set date_text = "cast('" ~ batch_date ~ "' as date)" -%}
    {%- do found.batch_sources.append(source_text) -%}
    {%- do found.batches.append("(" ~ source_text ~ ", " ~ date_text ~ ")") -%}
    {%- do found.dates.append(date_text) -%}
  {%- endif -%}
{%- endfor -%}
{{ return(found) }}
{%- endmacro %}

{#- The rows of the new batches; one condition more than needed, which keeps the engine from opening the others. -#}
{% macro in_new_batch(rows, touched) -%}
{{ rows }}.batch_date in ({{ touched.dates | unique | join(', ') }})
        and {{ rows }}.source_id in ({{ touched.batch_sources | unique | join(', ') }})
        and ({{ rows }}.source_id, {{ rows }}.batch_date) in ({{ touched.batches | join(', ') }})
{%- endmacro %}

{% macro touched_keys(entity, touched) -%}
select
            arrived.source_id,
            arrived.record_key
        from {{ source('pool', entity) }} as arrived
        where
            {{ in_new_batch('arrived', touched) }}
            and arrived.record_key is not null
{%- endmacro %}

{#- Which states of an entity a build that starts from the last one replaces. -#}
{% macro in_touched_state(entity) -%}
{%- set touched = touched_of(entity) -%}
source_id in ({{ touched.sources | join(', ') }})
    or (source_id, record_key) in (
        {{ touched_keys(entity, touched) }}
    )
{%- endmacro %}

{#-
  Of an entity, the states whose rows in a model are made again: the touched ones, and those that are dated later than one of the two nights
  (or not at all), since their rows depend on the night. All of them, if units stand elsewhere. `moment` is the column that dates them.
-#}
{% macro states_redone(entity, moment) -%}
{%- if builds_on_last() and not units_differ() -%}
(
        select *
        from {{ ref('stg_' ~ entity) }}
        where
            {{ in_redone_state(entity, moment) }}
            or (record_key is null and {{ in_new_batch('stg_' ~ entity, touched_of(entity)) }})
    )
{%- else -%}
{{ ref('stg_' ~ entity) }}
{%- endif -%}
{%- endmacro %}

{% macro in_redone_state(entity, moment) -%}
{{ in_touched_state(entity) }}
    or coalesce(cast({{ moment }} as date) > {{ earlier_night() }}, true)
{%- endmacro %}

{#- The earlier of this night and that of the last build, as a literal. -#}
{% macro earlier_night() -%}
{%- set night = run_query('select min(as_of) from (select as_of from ' ~ applied('night') ~ ' union all select as_of from ' ~ source('control', 'night') ~ ') as night') -%}
cast('{{ night.columns[0].values()[0] }}' as date)
{%- endmacro %}

{#- Whether any unit code means another unit, or a group another root, than in the last build. -#}
{% macro units_differ() -%}
{%- set differing -%}
select
    exists (select 1 from {{ differing_relations(redone_relation('int_unit_assignment'), applied('int_unit_assignment'), ['group_name', 'unit_code', 'leaf_code', 'valid_from', 'valid_to']) }} as assignment)
    or exists (select 1 from {{ differing_relations(redone_relation('int_group_root'), applied('int_group_root'), ['group_name', 'root_code']) }} as root)
{%- endset -%}
{{ return(run_query(differing).columns[0].values()[0]) }}
{%- endmacro %}
