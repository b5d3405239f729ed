{{ config(materialized='view') }}
{#- Incidents of groups that register anything, whether a case was registered of them, and why none is to be expected, if so. -#}
with judged_after as (
    select maturity_days as days
    from {{ ref('kpi_catalogue') }}
    where kpi_id = 'REG-2'
),

registration as (
    select
        matter.group_name,
        matter.related_id as incident_id
    from {{ ref('stg_matter') }} as matter
    cross join {{ source('control', 'night') }} as night
    where matter.kind = 'case_registration' and cast(matter.opened_at as date) <= night.as_of
),

registered_incident as (
    select distinct
        group_name,
        incident_id
    from registration
    where incident_id is not null
),

registering_group as (
    select distinct group_name from registration
),

listed_category as (
    {{ listed_categories(ref('int_incident'), 'case_like') }}
)

select
    incident.unit_code,
    incident.day,
    incident.category,
    registered_incident.incident_id is not null as is_registered,
    case
        when incident.ineffective_reason is not null then incident.ineffective_reason
        when not {{ is_listed('incident') }} then 'category_not_listed'
        when {{ add_days('incident.day', 'judged_after.days') }} > night.as_of then 'immature'
    end as excluded_reason,
    incident.row_count
from {{ ref('int_incident') }} as incident
inner join registering_group on incident.group_name = registering_group.group_name
cross join {{ source('control', 'night') }} as night
cross join judged_after
left join registered_incident
    on incident.group_name = registered_incident.group_name and incident.incident_id = registered_incident.incident_id
