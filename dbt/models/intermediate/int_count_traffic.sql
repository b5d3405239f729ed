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

accident as (
    select
        group_name,
        accident_id,
        min(unit_code) as unit_code,
        min(day) as day,
        sum(case when severity = 'fatal' then row_count else 0 end) as killed,
        sum(case when severity in ('fatal', 'serious') then row_count else 0 end) as killed_or_seriously_injured
    from placed_casualty
    where not is_future
    group by group_name, accident_id
),

kpi_row as (
    select
        'TR-1.deaths' as kpi_id,
        unit_code,
        day,
        null as severity,
        road_user,
        case when severity = 'fatal' and not is_future then row_count else 0 end as numerator,
        0 as denominator,
        case when is_future then 'after_as_of' when severity <> 'fatal' then 'less_severe' end as excluded_reason,
        row_count as excluded
    from placed_casualty
    union all
    select
        'TR-1.ksi' as kpi_id,
        unit_code,
        day,
        severity,
        road_user,
        case when severity in ('fatal', 'serious') and not is_future then row_count else 0 end as numerator,
        0 as denominator,
        case when is_future then 'after_as_of' when severity not in ('fatal', 'serious') then 'less_severe' end as excluded_reason,
        row_count as excluded
    from placed_casualty
),

{{ cells('kpi_row', ['severity', 'road_user']) }},

accident_cell as (
    select
        'TR-1.accidents' as kpi_id,
        unit_code,
        day,
        '' as cell,
        count(*) as numerator
    from accident
    group by unit_code, day
    union all
    select
        'TR-1.deaths' as kpi_id,
        unit_code,
        day,
        'square:accident' as cell,
        sum(killed * killed) as numerator
    from accident
    where killed > 0
    group by unit_code, day
    union all
    select
        'TR-1.ksi' as kpi_id,
        unit_code,
        day,
        'square:accident' as cell,
        sum(killed_or_seriously_injured * killed_or_seriously_injured) as numerator
    from accident
    where killed_or_seriously_injured > 0
    group by unit_code, day
)

select * from cell
union all
select
    kpi_id,
    unit_code,
    day,
    cell,
    cast(numerator as bigint) as numerator,
    cast(0 as bigint) as denominator
from accident_cell
