{#- Decisions in time (REG-1), and case-like incidents, old enough to judge, of which nothing was ever registered (REG-2). -#}
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
),

judged_incident as (
    select
        incident.unit_code,
        incident.day,
        incident.category,
        registered_incident.incident_id is null as is_unregistered,
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
),

kpi_row as (
    select
        'REG-2' as kpi_id,
        unit_code,
        day,
        category,
        case when excluded_reason is null and is_unregistered then row_count else 0 end as numerator,
        case when excluded_reason is null then row_count else 0 end as denominator,
        excluded_reason,
        row_count as excluded
    from judged_incident
),

{{ cells('kpi_row', ['category']) }},

matter_cell as (
    {{ family_cells('registration', ['int_matter_cell']) }}
)

select * from cell
union all
select * from matter_cell
