{#- What became of every system of the register: from the contracts that name it, the batches that came and the figures that were counted. -#}
with night as (
    select as_of from {{ source('control', 'night') }}
),

source_of_system as (
    select
        system.system_id,
        source.source_id,
        source.entity,
        source.group_name,
        case source.grade when 'public' then 1 when 'internal' then 2 when 'personal' then 3 when 'sensitive' then 4 end as grade_no
    from {{ ref('system') }} as system
    inner join {{ source('control', 'source') }} as source
        on ',' || source.systems || ',' like '%,' || system.system_id || ',%'
),

batch_of_source as (
    select
        batch.source_id,
        max(batch.batch_date) as last_batch,
        sum(batch.rows_accepted) as rows_accepted
    from {{ source('control', 'batch') }} as batch
    cross join night
    where batch.batch_date <= night.as_of
    group by batch.source_id
),

fed_system as (
    select
        source_of_system.system_id,
        {{ dbt.listagg('source_of_system.source_id', "' '", 'order by source_of_system.source_id') }} as sources,
        max(source_of_system.grade_no) as grade_no,
        max(batch_of_source.last_batch) as last_batch,
        sum(batch_of_source.rows_accepted) as rows_accepted
    from source_of_system
    left join batch_of_source on source_of_system.source_id = batch_of_source.source_id
    group by source_of_system.system_id
),

entity_of_system as (
    select
        system_id,
        {{ dbt.listagg('entity', "' '", 'order by entity') }} as entities
    from (select distinct system_id, entity from source_of_system) as distinct_entity
    group by system_id
),

counted_kpi as (
    select distinct
        counts.kpi_id,
        dim_unit.group_name
    from {{ ref('fct_kpi_count') }} as counts
    inner join {{ ref('dim_unit') }} as dim_unit on counts.unit_code = dim_unit.unit_code
    where counts.cell = ''
),

kpi_of_system as (
    select distinct
        system.system_id,
        counted_kpi.kpi_id
    from {{ ref('system') }} as system
    inner join counted_kpi
        on ' ' || system.kpi_ids || ' ' like '% ' || {{ dbt.split_part('counted_kpi.kpi_id', "'.'", 1) }} || ' %'
    left join source_of_system
        on system.system_id = source_of_system.system_id and counted_kpi.group_name = source_of_system.group_name
    left join fed_system on system.system_id = fed_system.system_id
    where source_of_system.source_id is not null or fed_system.system_id is null
),

counted_system as (
    select
        system_id,
        {{ dbt.listagg('kpi_id', "' '", 'order by kpi_id') }} as kpi_ids_counted
    from kpi_of_system
    group by system_id
)

select
    system.system_id,
    system.system,
    system.statement,
    system.document,
    system.treatment,
    system.kpi_ids,
    counted_system.kpi_ids_counted,
    fed_system.sources,
    entity_of_system.entities,
    case fed_system.grade_no when 1 then 'public' when 2 then 'internal' when 3 then 'personal' when 4 then 'sensitive' end as grade,
    fed_system.last_batch,
    cast(coalesce(fed_system.rows_accepted, 0) as bigint) as rows_accepted,
    case
        when system.treatment = 'EXCLUDE' and fed_system.system_id is null then 'excluded'
        when fed_system.last_batch is not null then 'delivered'
        when fed_system.system_id is not null then 'awaited'
        when counted_system.system_id is not null then 'counted'
        when system.treatment = 'CLAIM' then 'annotation'
        else 'absent'
    end as status
from {{ ref('system') }} as system
left join fed_system on system.system_id = fed_system.system_id
left join entity_of_system on system.system_id = entity_of_system.system_id
left join counted_system on system.system_id = counted_system.system_id
