{#- Devices and device-days only. A day on which a device was not to be online has no share; a gate day without a row is a gap. -#}
with device_day as (
    select
        device.group_name,
        device.device_id,
        device.device_kind,
        {{ leaf_unit() }} as unit_code,
        device.day,
        device.is_future,
        device.scheduled_minutes,
        device.online_minutes,
        coalesce(device.records, 0) as records,
        device.row_count
    from (
        select
            stg_device_day.*,
            stg_device_day.observed_on > night.as_of as is_future,
            least(stg_device_day.observed_on, night.as_of) as day
        from {{ ref('stg_device_day') }} as stg_device_day
        cross join {{ source('control', 'night') }} as night
    ) as device
    {{ join_leaf_unit('device') }}
    {{ join_group_root('device') }}
),

gate_observed as (
    select
        group_name,
        min(day) as first_day
    from device_day
    where device_kind = 'gate' and not is_future
    group by group_name
),

{#- What a gate reported of a day, whatever the unit it named. -#}
gate_report as (
    select
        group_name,
        device_id,
        day,
        sum(records) as records,
        max(scheduled_minutes) as scheduled_minutes
    from device_day
    where device_kind = 'gate' and not is_future
    group by group_name, device_id, day
),

registered_gate as (
    select
        entry.group_name,
        entry.entry_id,
        entry.unit_code,
        {{ each_number(
            day_number('greatest(entry.valid_from, gate_observed.first_day)'),
            day_number('least(coalesce(' ~ add_days('entry.valid_to', -1) ~ ', night.as_of), night.as_of)')
        ) }} as day_no
    from {{ ref('stg_register_entry') }} as entry
    inner join gate_observed on entry.group_name = gate_observed.group_name
    cross join {{ source('control', 'night') }} as night
    where
        entry.kind = 'device'
        and entry.category = 'gate'
        and entry.valid_from <= night.as_of
        and coalesce(entry.valid_to, {{ last_moment() }}) > gate_observed.first_day
),

gate_day as (
    select
        group_name,
        entry_id,
        unit_code,
        {{ day_from_number('day_no') }} as day
    from registered_gate
),

placed_gate_day as (
    select
        {{ leaf_unit() }} as unit_code,
        gate_day.day,
        coalesce(gate_report.scheduled_minutes, 1) > 0 as is_scheduled,
        coalesce(gate_report.records, 0) > 0 as is_heard
    from gate_day
    left join gate_report
        on gate_day.group_name = gate_report.group_name and gate_day.entry_id = gate_report.device_id and gate_day.day = gate_report.day
    {{ join_leaf_unit('gate_day') }}
    {{ join_group_root('gate_day') }}
),

{#- What the register says today of every day that a platform reported, and of the night. -#}
observed_day as (
    select
        group_name,
        day
    from device_day
    where not is_future
    union
    select
        entry.group_name,
        night.as_of as day
    from {{ ref('stg_register_entry') }} as entry
    cross join {{ source('control', 'night') }} as night
    where entry.kind = 'device'
),

registered_device as (
    select
        entry.group_name,
        entry.category as device_kind,
        entry.unit_code,
        observed_day.day,
        entry.row_count
    from {{ ref('stg_register_entry') }} as entry
    inner join observed_day
        on
            entry.group_name = observed_day.group_name
            and observed_day.day >= entry.valid_from
            and observed_day.day < coalesce(entry.valid_to, {{ last_moment() }})
    where entry.kind = 'device'
),

placed_device as (
    select
        {{ leaf_unit() }} as unit_code,
        registered_device.day,
        registered_device.device_kind,
        registered_device.row_count
    from registered_device
    {{ join_leaf_unit('registered_device') }}
    {{ join_group_root('registered_device') }}
),

{#- Passages of the raw feed, counted at ingest: under the unit that the register gives to the gate on that day. -#}
dated_passage as (
    select
        gate_hour.group_name,
        gate_hour.device_id,
        gate_hour.passed_hour,
        cast(gate_hour.passed_hour as date) > night.as_of as is_future,
        least(cast(gate_hour.passed_hour as date), night.as_of) as day,
        gate_hour.row_count
    from {{ ref('stg_gate_hour') }} as gate_hour
    cross join {{ source('control', 'night') }} as night
),

owned_passage as (
    select
        dated_passage.*,
        entry.unit_code
    from dated_passage
    left join {{ ref('stg_register_entry') }} as entry
        on
            dated_passage.group_name = entry.group_name
            and dated_passage.device_id = entry.entry_id
            and entry.kind = 'device'
            and dated_passage.day >= entry.valid_from
            and dated_passage.day < coalesce(entry.valid_to, {{ last_moment() }})
),

placed_passage as (
    select
        {{ leaf_unit() }} as unit_code,
        owned_passage.day,
        owned_passage.is_future,
        case
            when not owned_passage.is_future
                then right('0' || cast(cast(extract(hour from owned_passage.passed_hour) as integer) as {{ dbt.type_string() }}), 2)
        end as hour_of_day,
        owned_passage.row_count
    from owned_passage
    {{ join_leaf_unit('owned_passage') }}
    {{ join_group_root('owned_passage') }}
),

kpi_row as (
    select
        'EQ-1' as kpi_id,
        unit_code,
        day,
        case when not is_future and scheduled_minutes > 0 then device_kind end as device_kind,
        null as hour,
        case when is_future then 0 else online_minutes end as numerator,
        case when is_future then 0 else scheduled_minutes end as denominator,
        case when is_future then 'after_as_of' when scheduled_minutes <= 0 then 'not_scheduled' end as excluded_reason,
        row_count as excluded
    from device_day
    union all
    select
        'EQ-1.days' as kpi_id,
        unit_code,
        day,
        case when not is_future and scheduled_minutes > 0 then device_kind end as device_kind,
        null as hour,
        case when not is_future and scheduled_minutes > 0 then row_count else 0 end as numerator,
        0 as denominator,
        case when is_future then 'after_as_of' when scheduled_minutes <= 0 then 'not_scheduled' end as excluded_reason,
        row_count as excluded
    from device_day
    union all
    select
        'EQ-2.volume' as kpi_id,
        unit_code,
        day,
        null as device_kind,
        null as hour,
        case when device_kind = 'gate' and not is_future then records else 0 end as numerator,
        0 as denominator,
        case when is_future then 'after_as_of' when device_kind <> 'gate' then 'other_device' end as excluded_reason,
        row_count as excluded
    from device_day
    union all
    select
        'EQ-2.gap' as kpi_id,
        unit_code,
        day,
        null as device_kind,
        null as hour,
        case when is_scheduled and not is_heard then 1 else 0 end as numerator,
        case when is_scheduled then 1 else 0 end as denominator,
        case when not is_scheduled then 'not_scheduled' end as excluded_reason,
        1 as excluded
    from placed_gate_day
    union all
    select
        'EQ-2.passages' as kpi_id,
        unit_code,
        day,
        null as device_kind,
        hour_of_day as hour,
        case when is_future then 0 else row_count end as numerator,
        0 as denominator,
        case when is_future then 'after_as_of' end as excluded_reason,
        row_count as excluded
    from placed_passage
    union all
    select
        'EQ-4.devices' as kpi_id,
        unit_code,
        day,
        device_kind,
        null as hour,
        row_count as numerator,
        0 as denominator,
        null as excluded_reason,
        0 as excluded
    from placed_device
),

{{ cells('kpi_row', ['device_kind', 'hour']) }}

select * from cell
union all
{{ family_cells('equipment', ['int_observation_cell']) }}
