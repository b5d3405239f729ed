{{ config(materialized='view') }}
{#- Incidents, whether anybody called back after them, and why they need no callback, if they do not. -#}
with root_with_callbacks as (
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
)

select
    incident.unit_code,
    incident.day,
    incident.category,
    incident.is_case,
    called_incident.incident_id is not null as is_called,
    coalesce(
        incident.ineffective_reason,
        case when root_with_callbacks.root_code is null then 'no_callback_feed' end
    ) as excluded_reason,
    incident.row_count
from {{ ref('int_incident') }} as incident
inner join {{ ref('dim_unit') }} as dim_unit on incident.unit_code = dim_unit.unit_code
left join root_with_callbacks
    on incident.group_name = root_with_callbacks.group_name and dim_unit.root_code = root_with_callbacks.root_code
left join called_incident
    on incident.group_name = called_incident.group_name and incident.incident_id = called_incident.incident_id
