{#- Complaints and appeals; complaints per incident are counted only where complaints are delivered. -#}
with matter_cell as (
    {{ family_cells('complaint', ['int_matter_cell']) }}
),

complaining_group as (
    select distinct group_name
    from {{ ref('stg_matter') }}
    where kind = 'complaint'
),

exposed_cell as (
    select
        kpi_id,
        unit_code,
        day,
        cell,
        numerator,
        denominator
    from matter_cell
    where kpi_id = 'CMP-1'
    union all
    select
        'CMP-1' as kpi_id,
        incident.unit_code,
        incident.day,
        '' as cell,
        0 as numerator,
        sum(incident.row_count) as denominator
    from {{ ref('int_incident') }} as incident
    inner join complaining_group on incident.group_name = complaining_group.group_name
    where not incident.is_future
    group by incident.unit_code, incident.day
)

select * from matter_cell where kpi_id <> 'CMP-1'
union all
{{ summed_cells('exposed_cell') }}
