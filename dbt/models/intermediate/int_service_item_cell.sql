{{ config(materialized='view') }}
{#- How many service items were in force on the days that their list was delivered and on the night, and how many of them are marked. -#}
with item_day as (
    select
        source.group_name,
        batch.batch_date as day
    from {{ source('control', 'batch') }} as batch
    inner join {{ source('control', 'source') }} as source on batch.source_id = source.source_id and source.entity = 'service_item'
    cross join {{ source('control', 'night') }} as night
    where batch.batch_date <= night.as_of
    union
    select
        item_version.group_name,
        night.as_of as day
    from {{ ref('int_service_item') }} as item_version
    cross join {{ source('control', 'night') }} as night
),

item_on_day as (
    select
        group_root.root_code || '.self' as unit_code,
        item_day.day,
        item_version.item_code,
        item_version.is_one_window,
        item_version.is_one_visit
    from item_day
    inner join {{ ref('int_service_item') }} as item_version
        on
            item_day.group_name = item_version.group_name
            and item_day.day >= item_version.valid_from
            and item_day.day < item_version.valid_to
    {{ join_group_root('item_day') }}
)
{% for cell, condition in [('', 'true'), ('mark:one_window', 'is_one_window'), ('mark:one_visit', 'is_one_visit')] %}
{% if not loop.first %}union all {% endif -%}
select
    'SVC-2.items' as kpi_id,
    unit_code,
    day,
    '{{ cell }}' as cell,
    cast(count(distinct item_code) as bigint) as numerator,
    cast(0 as bigint) as denominator
from item_on_day
where {{ condition }}
group by unit_code, day
{% endfor %}
