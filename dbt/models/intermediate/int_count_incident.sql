{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_incident'], 'kpis_whole': ['INC-6']}) }}
with incident as (
    select
        unit_code,
        day,
        category,
        channel,
        ineffective_reason as excluded_reason,
        row_count as incidents,
        case when is_future then 0 else row_count end as received,
        case when ineffective_reason is null then row_count else 0 end as effective,
        case when is_dispatched and not is_future then row_count else 0 end as dispatched,
        case when is_dispatched and is_returned and not is_future then row_count else 0 end as returned
    from {{ rows_counted('int_incident') }}
),

observed as (
    select
        group_name,
        min(day) as first_day
    from {{ ref('int_incident') }}
    where not is_future
    group by group_name
),

{{ register_days('road_day', ['road_segment'], 'observed') }},

{#- Effective incidents in the street per metre-day of registered road, where roads are registered. -#}
street as (
    select
        incident.unit_code,
        incident.day,
        incident.row_count as incidents,
        0 as metres
    from {{ ref('int_incident') }} as incident
    inner join (select distinct group_name from road_day) as registering on incident.group_name = registering.group_name
    where incident.ineffective_reason is null and incident.place_kind = 'street'
    union all
    select
        unit_code,
        day,
        0 as incidents,
        size as metres
    from road_day
),

{{ tally('incident', ['category', 'channel'], ['incidents', 'received', 'effective', 'dispatched', 'returned']) }},

cell as (
    {{ kpi_cell('INC-1', 'received') }}
    where not is_excluded
    union all
    {{ kpi_cell('INC-1', 'incidents') }}
    where cell = 'excluded:after_as_of'
    union all
    {{ kpi_cell('INC-2', 'effective', 'received') }}
    where not is_excluded
    union all
    {{ kpi_cell('INC-2', 'incidents') }}
    where is_excluded
    union all
    {{ kpi_cell('INC-5', 'returned', 'dispatched') }}
    where not is_excluded and cell not like 'channel:%'
    union all
    {{ kpi_cell('INC-5', 'received - dispatched', cell="'excluded:not_dispatched'") }}
    where cell = ''
    union all
    {{ kpi_cell('INC-5', 'incidents') }}
    where cell = 'excluded:after_as_of'
    union all
    select
        'INC-6' as kpi_id,
        unit_code,
        day,
        '' as cell,
        cast(sum(incidents) as bigint) as numerator,
        cast(sum(metres) as bigint) as denominator
    from street
    group by unit_code, day
)

select *
from cell
where numerator <> 0 or denominator <> 0
