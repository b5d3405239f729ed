{#-
  What followed on each incident: whether anybody called back after it and whether a case was registered of it, with the reason, if any, why
  neither is to be expected. Registration is judged of incidents old enough, in groups that register anything (is_registering).
-#}
with judged_after as (
    select maturity_days as days
    from {{ ref('kpi_catalogue') }}
    where kpi_id = 'REG-2'
),

root_with_callbacks as (
    select distinct
        callback.group_name,
        dim_unit.root_code
    from {{ ref('int_callback') }} as callback
    inner join {{ ref('dim_unit') }} as dim_unit on callback.unit_code = dim_unit.unit_code
),

called_incident as (
    select distinct
        group_name,
        incident_id
    from {{ ref('int_callback') }}
    where not is_future
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
    incident.is_case,
    called_incident.incident_id is not null as is_called,
    coalesce(incident.ineffective_reason, case when root_with_callbacks.root_code is null then 'no_callback_feed' end) as not_called_reason,
    registering_group.group_name is not null as is_registering,
    registered_incident.incident_id is not null as is_registered,
    case
        when incident.ineffective_reason is not null then incident.ineffective_reason
        when not {{ is_listed('incident') }} then 'category_not_listed'
        when {{ add_days('incident.day', 'judged_after.days') }} > night.as_of then 'immature'
    end as not_registered_reason,
    incident.row_count
from {{ ref('int_incident') }} as incident
inner join {{ ref('dim_unit') }} as dim_unit on incident.unit_code = dim_unit.unit_code
cross join {{ source('control', 'night') }} as night
cross join judged_after
left join root_with_callbacks
    on incident.group_name = root_with_callbacks.group_name and dim_unit.root_code = root_with_callbacks.root_code
left join called_incident
    on incident.group_name = called_incident.group_name and incident.incident_id = called_incident.incident_id
left join registering_group on incident.group_name = registering_group.group_name
left join registered_incident
    on incident.group_name = registered_incident.group_name and incident.incident_id = registered_incident.incident_id
