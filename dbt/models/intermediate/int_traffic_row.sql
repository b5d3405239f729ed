{{ config(materialized='view') }}
{#-
  What is counted of accidents, which come by their casualties, a row each, or as one row with numbers. An accident that comes both ways
  counts by its casualties. Deaths per vehicle are counted where vehicles are registered, from the first accident on. Rows of an accident
  that counts say how many it killed and seriously injured.
-#}
with dated_casualty as (
    select
        casualty.*,
        casualty.happened_on > night.as_of as is_future,
        least(casualty.happened_on, night.as_of) as day
    from {{ ref('stg_casualty') }} as casualty
    cross join {{ source('control', 'night') }} as night
),

placed_casualty as (
    select
        dated_casualty.group_name,
        dated_casualty.accident_id,
        {{ leaf_unit() }} as unit_code,
        dated_casualty.day,
        dated_casualty.is_future,
        dated_casualty.severity,
        coalesce(dated_casualty.road_user, 'unknown') as road_user,
        dated_casualty.row_count
    from dated_casualty
    {{ join_leaf_unit('dated_casualty') }}
    {{ join_group_root('dated_casualty') }}
),

accident_of_casualties as (
    select
        group_name,
        accident_id,
        min(unit_code) as unit_code,
        min(day) as day,
        sum(case when severity = 'fatal' then row_count else 0 end) as killed,
        sum(case when severity = 'serious' then row_count else 0 end) as seriously_injured
    from placed_casualty
    where not is_future
    group by group_name, accident_id
),

dated_accident as (
    select
        accident.*,
        cast(accident.happened_at as date) > night.as_of as is_future,
        least(cast(accident.happened_at as date), night.as_of) as day
    from {{ ref('stg_accident') }} as accident
    cross join {{ source('control', 'night') }} as night
),

placed_accident as (
    select
        dated_accident.group_name,
        {{ leaf_unit() }} as unit_code,
        dated_accident.day,
        case
            when dated_accident.is_future then 'after_as_of'
            when accident_of_casualties.accident_id is not null then 'counted_as_casualties'
            when dated_accident.deaths + coalesce(dated_accident.injuries, 0) + coalesce(dated_accident.serious_injuries, 0) = 0 then 'no_casualty'
        end as excluded_reason,
        dated_accident.deaths as killed,
        coalesce(dated_accident.serious_injuries, 0) as seriously_injured,
        dated_accident.row_count
    from dated_accident
    left join accident_of_casualties
        on dated_accident.group_name = accident_of_casualties.group_name and dated_accident.accident_id = accident_of_casualties.accident_id
    {{ join_leaf_unit('dated_accident') }}
    {{ join_group_root('dated_accident') }}
),

{#- Every accident that counts, once. -#}
accident as (
    select group_name, unit_code, day, killed, seriously_injured
    from accident_of_casualties
    union all
    select group_name, unit_code, day, killed, seriously_injured
    from placed_accident
    where excluded_reason is null
),

{#- An accident without casualties shows too that accidents are recorded. -#}
known_day as (
    select group_name, day
    from placed_casualty
    where not is_future
    union all
    select group_name, day
    from placed_accident
    where coalesce(excluded_reason, '') <> 'after_as_of'
),

observed as (
    select
        group_name,
        min(day) as first_day
    from known_day
    group by group_name
),

{{ register_days('vehicle_day', ['vehicle'], 'observed') }},

{#- Persons by what became of them, with the feed that said so. -#}
person as (
    select
        unit_code,
        day,
        is_future,
        severity,
        road_user,
        'casualty' as feed,
        row_count as persons
    from placed_casualty
    union all
    {%- for severity, persons in [('fatal', 'killed'), ('serious', 'seriously_injured')] %}
    {% if not loop.first %}union all {% endif -%}
    select
        unit_code,
        day,
        false as is_future,
        '{{ severity }}' as severity,
        'unknown' as road_user,
        'accident' as feed,
        {{ persons }} as persons
    from placed_accident
    where excluded_reason is null and {{ persons }} > 0
    {%- endfor %}
)

select
    'TR-1.accidents' as kpi_id,
    unit_code,
    day,
    null as severity,
    null as road_user,
    'casualty' as feed,
    1 as numerator,
    0 as denominator,
    killed,
    seriously_injured,
    null as excluded_reason,
    0 as excluded
from accident_of_casualties
union all
select
    'TR-1.accidents' as kpi_id,
    unit_code,
    day,
    null as severity,
    null as road_user,
    'accident' as feed,
    case when excluded_reason is null then row_count else 0 end as numerator,
    0 as denominator,
    case when excluded_reason is null then killed end as killed,
    case when excluded_reason is null then seriously_injured end as seriously_injured,
    excluded_reason,
    row_count as excluded
from placed_accident
{%- for kpi_id, counted in [('TR-1.deaths', "('fatal')"), ('TR-1.ksi', "('fatal', 'serious')")] %}
union all
select
    '{{ kpi_id }}' as kpi_id,
    unit_code,
    day,
    {{ 'severity' if kpi_id == 'TR-1.ksi' else 'null' }} as severity,
    road_user,
    feed,
    case when severity in {{ counted }} and not is_future then persons else 0 end as numerator,
    0 as denominator,
    null as killed,
    null as seriously_injured,
    case
        when feed = 'accident' then null
        when is_future then 'after_as_of'
        when severity not in {{ counted }} then 'less_severe'
    end as excluded_reason,
    persons as excluded
from person
{%- endfor %}
union all
select
    'TR-2' as kpi_id,
    accident.unit_code,
    accident.day,
    null as severity,
    null as road_user,
    null as feed,
    accident.killed as numerator,
    0 as denominator,
    accident.killed,
    accident.seriously_injured,
    null as excluded_reason,
    0 as excluded
from accident
inner join (select distinct group_name from vehicle_day) as registering on accident.group_name = registering.group_name
union all
select
    'TR-2' as kpi_id,
    unit_code,
    day,
    null as severity,
    null as road_user,
    null as feed,
    0 as numerator,
    size as denominator,
    null as killed,
    null as seriously_injured,
    null as excluded_reason,
    0 as excluded
from vehicle_day
